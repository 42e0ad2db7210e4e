import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config/config.ts";
import { createDurably, giveToOwner, overwriteDurably, replaceDurably } from "./durable-file.ts";
import { formatSecretList, type ListedSecret, parseSecretList } from "./config/secret-list.ts";
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

/** The configured secrets, or those generated beside the embedded database; the first signs. @throws CommandError. */
export async function loadSecrets({ secrets, database, dataDir }: Config): Promise<readonly string[]> {
  if (secrets.length > 0 || database.driver !== "sqlite") return secrets;
  await loadOrCreateSecret(dataDir, database.path);
  return readSecretList(dataDir, database.path).map(({ secret }) => secret);
}

/**
 * Reads the generated secret that signs, or makes it once; of several first starts one makes it and the others read it.
 * @throws CommandError when a database is there whose secret is gone: a new one would sign everybody out.
 */
export async function loadOrCreateSecret(dataDirectory: string, databasePath: string): Promise<string> {
  const path = secretPath(dataDirectory);
  if (!existsSync(path)) {
    if (existsSync(databasePath)) throw lostSecret(path, databasePath);
    await createDurably(path, (temporary) => writeSecret(temporary, `${generateSecret()}\n`));
  }
  const [first] = readSecretList(dataDirectory, databasePath);
  if (first === undefined) throw lostSecret(path, databasePath);
  return first.secret;
}

/** Reads the generated secrets, which must be there; the first signs. @throws CommandError. */
export function readSecretList(dataDirectory: string, databasePath: string): readonly ListedSecret[] {
  const path = secretPath(dataDirectory);
  const risk = secretFileRisk(path, { madeByUs: true });
  if (risk !== null) throw new CommandError(`the generated secret ${path} ${risk.reason}`, risk.remedy);
  const list = parseSecretList(readFileSync(path, "utf8"));
  if (list === null || list.some(({ secret }) => Buffer.byteLength(secret) < secretBytes))
    throw lostSecret(path, databasePath);
  const weakness = list.map(({ secret }) => weaknessOf(secret)).find((reason) => reason !== null);
  if (weakness !== undefined) {
    throw new CommandError(
      `${path} ${weakness}, which is no secret that latchkey made`,
      `restore ${path} from a backup, or, if that is the one in use, BETTER_AUTH_SECRETS=2:NEW,1:OLD with NEW from latchkey secret and OLD from that file`,
    );
  }
  return list;
}

/** Has the generated file hold other secrets, whole or not at all. @throws CommandError where one could not be read again. */
export async function writeSecretList(dataDirectory: string, list: readonly ListedSecret[]): Promise<void> {
  const path = secretPath(dataDirectory);
  const text = formatSecretList(list);
  if (text === null)
    throw new CommandError(
      `${path} holds a secret with blanks in it, which can stand in no list`,
      "BETTER_AUTH_SECRETS=2:NEW,1:OLD with NEW from latchkey secret and OLD from that file",
    );
  await overwriteDurably(path, (temporary) => {
    writeSecret(temporary, text);
    giveToOwner(temporary, dataDirectory);
  });
}

/** Copies the generated secrets to where nothing is yet, for their owner alone. @returns false where something is. */
export async function saveSecret({ dataDir, database }: Config, to: string): Promise<boolean> {
  const path = database.driver === "sqlite" ? database.path : "";
  await loadOrCreateSecret(dataDir, path);
  const text = formatSecretList(readSecretList(dataDir, path)) ?? "";
  return await createDurably(to, (temporary) => writeSecret(temporary, text));
}

/** Reads what `saveSecret` wrote. @returns its text. @throws CommandError where it cannot hold a secret. */
export function readSavedSecret(file: string): string {
  const remedy = "name the file that latchkey backup --with-secret wrote beside the backup";
  const wrong = (reason: string) =>
    new CommandError(`${file} ${reason}`, remedy, { wrongInput: "unusable_secret" });
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) throw wrong("is not a file");
  const list = parseSecretList(readFileSync(file, "utf8")) ?? [];
  const isSecret = ({ secret }: ListedSecret) =>
    Buffer.byteLength(secret) >= secretBytes && !/\s/.test(secret);
  const text = formatSecretList(list);
  if (list.length === 0 || text === null || !list.every(isSecret)) throw wrong("holds no secret");
  const weakness = list.map(({ secret }) => weaknessOf(secret)).find((reason) => reason !== null);
  if (weakness !== undefined) throw wrong(weakness);
  return text;
}

/** The secrets that a saved file's text holds. */
export function secretsIn(saved: string): readonly string[] {
  return (parseSecretList(saved) ?? []).map(({ secret }) => secret);
}

/**
 * Has the data directory hold `saved`, what a saved file held, or where that is undefined any secret.
 * @returns what became of what was there: `same`, kept under another name, or `none`.
 */
export async function putSecret(dataDirectory: string, saved: string | undefined): Promise<PutSecret> {
  const path = secretPath(dataDirectory);
  const make = (temporary: string) => {
    writeSecret(temporary, saved ?? `${generateSecret()}\n`);
    giveToOwner(temporary, dataDirectory);
  };
  if (existsSync(path)) {
    if (saved === undefined || readFileSync(path, "utf8").trim() === saved.trim()) return { became: "same" };
    return { became: "kept", as: await replaceDurably(path, make, (exchange) => exchange()) };
  }
  await createDurably(path, make);
  return { became: "none" };
}

export type PutSecret =
  | { readonly became: "same" | "none" }
  | { readonly became: "kept"; readonly as: string };

function writeSecret(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600, flag: "wx" });
}

function lostSecret(path: string, databasePath: string): CommandError {
  return new CommandError(
    `${databasePath} exists, but its generated secret ${path} is missing or damaged`,
    `restore ${path} from a backup, or set BETTER_AUTH_SECRET to the secret it held (a new one signs everybody out)`,
  );
}
