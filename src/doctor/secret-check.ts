import { existsSync, readFileSync } from "node:fs";
import type { LoadedConfig } from "../config/config.ts";
import { parseSecretList } from "../config/secret-list.ts";
import { weaknessOf } from "../config/secret-strength.ts";
import { secretPath } from "../data-directory.ts";
import { secretFileRisk } from "../config/secret-file.ts";
import { type Check, failed, passed, warned } from "./check.ts";

const name = "secret";
const rotation = "rotate it: BETTER_AUTH_SECRETS=2:NEW,1:OLD with NEW from latchkey secret";

/** Checks where the signing secret comes from and whether it is worth one; never shows it. */
export function secretCheck({ config, settings }: LoadedConfig): Check {
  if (config.secrets.length === 0) return generatedSecretCheck(config.dataDir, databasePath(config));
  const source = settings.find(
    (setting) => setting.name.startsWith("BETTER_AUTH_SECRET") && setting.source !== "default",
  );
  const from = `from ${source?.variable ?? "the environment"}`;
  const count = config.secrets.length;
  const weak = config.secrets.findIndex((secret) => weaknessOf(secret) !== null);
  const weakness = weaknessOf(config.secrets[weak] ?? "");
  if (weak !== -1) return warned(name, `${from}: secret ${weak + 1} of ${count} ${weakness}`, rotation);
  if (count > 1) return passed(name, `${from}: ${count} strong secrets, the first signs and all verify`);
  const unused = config.database.driver === "sqlite" && existsSync(secretPath(config.dataDir));
  if (unused && differs(secretPath(config.dataDir), config.secrets)) {
    return warned(
      name,
      `${from}, and another one is in ${secretPath(config.dataDir)}: whoever signed in under that one is signed out`,
      "BETTER_AUTH_SECRETS=2:NEW,1:OLD with OLD from that file; once nobody needs it any more, remove the file",
    );
  }
  return passed(name, `${from}, strong${unused ? "; the one in the data directory is not used" : ""}`);
}

/** Whether a generated secret is none of those that are set. */
function differs(path: string, secrets: readonly string[]): boolean {
  try {
    const [signing] = parseSecretList(readFileSync(path, "utf8")) ?? [];
    return signing === undefined || !secrets.includes(signing.secret);
  } catch {
    return false;
  }
}

function databasePath({ database }: LoadedConfig["config"]): string {
  return database.driver === "sqlite" ? database.path : "";
}

/** As `loadOrCreateSecret` sees it at the next start, making nothing. */
function generatedSecretCheck(dataDir: string, database: string): Check {
  const path = secretPath(dataDir);
  const restore = `restore ${path} from a backup, or set BETTER_AUTH_SECRET to what it held (a new one signs everybody out)`;
  if (!existsSync(path)) {
    return existsSync(database)
      ? failed(name, `the database exists, but its generated secret ${path} is missing`, restore)
      : passed(name, `not made yet: the first start makes ${path}`);
  }
  let list: readonly string[];
  try {
    list = parseSecretList(readFileSync(path, "utf8"))?.map(({ secret }) => secret) ?? [""];
  } catch {
    return failed(name, `${path} cannot be read by this user`, "run latchkey as the owner of that file");
  }
  const risk = secretFileRisk(path, { madeByUs: true });
  if (risk !== null) return failed(name, `${path} ${risk.reason}`, risk.remedy);
  const weakness = list.map(weaknessOf).find((reason) => reason !== null);
  if (weakness === undefined && list.length > 1)
    return passed(
      name,
      `generated, in ${path}: ${list.length} strong secrets, the first signs and all verify`,
    );
  return weakness === undefined
    ? passed(name, `generated, in ${path}, strong`)
    : failed(name, `${path} ${weakness}`, `${rotation} and OLD from that file, which then goes`);
}
