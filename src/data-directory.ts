import { chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config/config.ts";
import { createDurably, replaceDurably } from "./durable-file.ts";
import { weaknessOf } from "./config/secret-strength.ts";
import { CommandError } from "./errors.ts";
import { secretFileRisk } from "./config/secret-file.ts";

const secretBytes = 32;

/** Makes a secret: 256 random bits in base64. */
export function generateSecret(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(secretBytes))).toString("base64");
}

/** Makes the data directory, for its owner alone. @returns a warning when others may enter one that exists. */
export function prepareDataDirectory(directory: string): string | undefined {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new CommandError(
      `the data directory ${directory} cannot be made`,
      "set LATCHKEY_DATA_DIR to a directory that this user may write to",
      { cause },
    );
  }
  const mode = statSync(directory).mode & 0o777;
  return (mode & 0o077) === 0
    ? undefined
    : `${directory} is open to other users (mode ${mode.toString(8)}); chmod 700 it`;
}

export function secretPath(dataDirectory: string): string {
  return join(dataDirectory, "secret");
}

/** Says that a generated secret stands without the database it was made for; undefined where none does. */
export function orphanedSecret({ secrets, database, dataDir }: Config): string | undefined {
  if (secrets.length > 0 || database.driver !== "sqlite") return undefined;
  const path = secretPath(dataDir);
  return existsSync(path) && !existsSync(database.path)
    ? `the secret ${path} is there, but its database ${database.path} is not: a new, empty one is made`
    : undefined;
}

/** The configured secrets, or the one generated beside the embedded database; the first signs. @throws CommandError. */
export async function loadSecrets({ secrets, database, dataDir }: Config): Promise<readonly string[]> {
  if (secrets.length > 0 || database.driver !== "sqlite") return secrets;
  return [await loadOrCreateSecret(dataDir, database.path)];
}

/**
 * Reads the generated secret, or makes it once; of several first starts one makes it and the others read it.
 * @throws CommandError when a database is there whose secret is gone: a new one would sign everybody out.
 */
export async function loadOrCreateSecret(dataDirectory: string, databasePath: string): Promise<string> {
  const path = secretPath(dataDirectory);
  if (!existsSync(path)) {
    if (existsSync(databasePath)) throw lostSecret(path, databasePath);
    await createDurably(path, (temporary) => writeSecret(temporary, generateSecret()));
  }
  const risk = secretFileRisk(path, { madeByUs: true });
  if (risk !== null) throw new CommandError(`the generated secret ${path} ${risk.reason}`, risk.remedy);
  const secret = readFileSync(path, "utf8").trim();
  if (Buffer.byteLength(secret) < secretBytes) throw lostSecret(path, databasePath);
  const weakness = weaknessOf(secret);
  if (weakness !== null) {
    throw new CommandError(
      `${path} ${weakness}, which is no secret that latchkey made`,
      `restore ${path} from a backup, or, if that is the one in use, BETTER_AUTH_SECRETS=2:NEW,1:OLD with NEW from latchkey secret and OLD from that file`,
    );
  }
  return secret;
}

/** Copies the generated secret to where nothing is yet, for its owner alone. @returns false where something is. */
export async function saveSecret({ dataDir, database }: Config, to: string): Promise<boolean> {
  const path = database.driver === "sqlite" ? database.path : "";
  const secret = await loadOrCreateSecret(dataDir, path);
  return await createDurably(to, (temporary) => writeSecret(temporary, secret));
}

/** Reads a secret that `saveSecret` wrote. @throws CommandError where it cannot be one. */
export function readSavedSecret(file: string): string {
  const remedy = "name the file that latchkey backup --with-secret wrote beside the backup";
  const wrong = (reason: string) =>
    new CommandError(`${file} ${reason}`, remedy, { wrongInput: "unusable_secret" });
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) throw wrong("is not a file");
  const secret = readFileSync(file, "utf8").trim();
  if (Buffer.byteLength(secret) < secretBytes || /\s/.test(secret)) throw wrong("holds no secret");
  const weakness = weaknessOf(secret);
  if (weakness !== null) throw wrong(weakness);
  return secret;
}

/**
 * Has the data directory hold `secret`, or where that is undefined any.
 * @returns what became of the one that was there: `same`, kept under another name, or `none`.
 */
export async function putSecret(dataDirectory: string, secret: string | undefined): Promise<PutSecret> {
  const path = secretPath(dataDirectory);
  const make = (temporary: string) => {
    writeSecret(temporary, secret ?? generateSecret());
    if (process.geteuid?.() !== 0) return;
    const { uid, gid } = statSync(dataDirectory);
    chownSync(temporary, uid, gid);
  };
  if (existsSync(path)) {
    if (secret === undefined || readFileSync(path, "utf8").trim() === secret) return { became: "same" };
    return { became: "kept", as: await replaceDurably(path, make, (exchange) => exchange()) };
  }
  await createDurably(path, make);
  return { became: "none" };
}

export type PutSecret =
  | { readonly became: "same" | "none" }
  | { readonly became: "kept"; readonly as: string };

function writeSecret(file: string, secret: string): void {
  writeFileSync(file, `${secret}\n`, { mode: 0o600, flag: "wx" });
}

function lostSecret(path: string, databasePath: string): CommandError {
  return new CommandError(
    `${databasePath} exists, but its generated secret ${path} is missing or damaged`,
    `restore ${path} from a backup, or set BETTER_AUTH_SECRET to the secret it held (a new one signs everybody out)`,
  );
}
