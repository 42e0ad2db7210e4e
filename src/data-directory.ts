import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { linkInPlace } from "./database/migrate-sqlite.ts";
import { CommandError } from "./errors.ts";

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

/**
 * Reads the generated secret, or makes it once: written whole under another name, flushed and linked into place, so
 * that of several first starts one wins and the others read its secret.
 * @throws CommandError when a database is there whose secret is gone: a new one would sign everybody out.
 */
export function loadOrCreateSecret(dataDirectory: string, databasePath: string): string {
  const path = secretPath(dataDirectory);
  if (!existsSync(path)) {
    if (existsSync(databasePath)) throw lostSecret(path, databasePath);
    create(path);
  }
  const secret = readFileSync(path, "utf8").trim();
  if (Buffer.byteLength(secret) < secretBytes) throw lostSecret(path, databasePath);
  return secret;
}

function create(path: string): void {
  const temporary = `${path}.${process.pid}-${crypto.randomUUID()}.tmp`;
  const descriptor = openSync(temporary, "wx", 0o600);
  try {
    writeSync(descriptor, `${generateSecret()}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  try {
    linkInPlace(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function lostSecret(path: string, databasePath: string): CommandError {
  return new CommandError(
    `${databasePath} exists, but its generated secret ${path} is missing or damaged`,
    `restore ${path} from a backup, or set BETTER_AUTH_SECRET to the secret it held (a new one signs everybody out)`,
  );
}
