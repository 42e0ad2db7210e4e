import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { saveSecret } from "../data-directory.ts";
import { checkSqlite, copySqlite, type SqliteContent } from "../database/copy-sqlite.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { createDurably } from "../durable-file.ts";
import { CommandError } from "../errors.ts";
import { type Command, exitStatus } from "./command.ts";
import { requireEmbedded } from "./dump-command.ts";
import { loadConfigAt, requireOwnFile } from "./place.ts";

interface BackupOptions extends Place {
  readonly file: string;
  readonly withSecret?: true;
  /** How many of its own it leaves in the folder `file`. */
  readonly keep?: number;
}

/** What a backup in a folder is called. */
const ownName = /^latchkey-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z\.db$/;

/** Copies the embedded database, beside the server that has it open, and tries the copy before it gets its name. */
export const backup: Command<BackupOptions> = async (context, { json, ...options }) => {
  const { config } = loadConfigAt(context, options);
  const given = resolve(context.cwd, options.file);
  const file = options.keep === undefined ? given : join(given, nameAt(context.now()));
  const source = requireEmbedded(config, "backup", file);
  const secret = options.withSecret === true ? secretFile(config, file) : null;
  requireOwnFile(source, "backup …");
  const umask = process.umask(0o077);
  let content: SqliteContent;
  let removed: readonly string[];
  try {
    requireRoom(given, options.keep);
    for (const path of [file, ...(secret === null ? [] : [secret])]) if (existsSync(path)) throw taken(path);
    content = await writeBackup(config, source, file, secret);
    removed = options.keep === undefined ? [] : removeOldest(file, options.keep);
  } finally {
    process.umask(umask);
  }
  const { pending, unknown: _, ...figures } = content;
  if (json) context.stdout(JSON.stringify({ path: file, ...figures, secret, removed }));
  else {
    context.stdout(describe(file, content));
    if (secret !== null) context.stdout(`${secret}: the secret; keep it apart from the backup`);
    for (const path of removed) context.stdout(`${path}: removed`);
  }
  if (pending.length > 0)
    context.stderr(`Its schema is older than this latchkey: the next start applies ${pending.join(", ")}`);
  if (secret === null && config.secrets.length === 0)
    context.stderr(
      "The secret is not in it: without that everybody has to sign in again after a restore (--with-secret)",
    );
  return exitStatus.ok;
};

/** A line on a database. */
export function describe(path: string, { bytes, users, sessions }: SqliteContent): string {
  return `${path}: ${bytes} bytes, ${users} accounts, ${sessions} sessions`;
}

async function writeBackup(
  config: Config,
  source: string,
  file: string,
  secret: string | null,
): Promise<SqliteContent> {
  const result = Promise.withResolvers<SqliteContent>();
  const isOurs = await createDurably(file, async (temporary) => {
    await copySqlite(source, temporary);
    result.resolve(await checkSqlite(temporary, "latchkey doctor"));
  });
  if (!isOurs) throw taken(file);
  if (secret === null) return await result.promise;
  try {
    if (!(await saveSecret(config, secret))) throw taken(secret);
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
  return await result.promise;
}

function secretFile({ secrets }: Config, file: string): string {
  if (secrets.length === 0) return `${file}.secret`;
  throw new CommandError(
    "--with-secret: this server's secret is not a generated one, but set by BETTER_AUTH_SECRET or its like",
    "leave --with-secret away, and keep that setting yourself",
    { wrongInput: "configured_secret" },
  );
}

/** @throws CommandError where the backup could not be put there. */
function requireRoom(given: string, keep: number | undefined): void {
  const found = statSync(given, { throwIfNoEntry: false });
  const wrong = (message: string, remedy: string) =>
    new CommandError(message, remedy, { wrongInput: "unusable_path" });
  if (keep !== undefined) {
    if (found === undefined) mkdirSync(given, { recursive: true });
    else if (!found.isDirectory())
      throw wrong(`${given} is not a folder`, "name a folder with --keep, or leave --keep away");
  } else if (found?.isDirectory() === true)
    throw wrong(`${given} is a folder`, `name a file in it, or add --keep 7`);
  else if (!existsSync(dirname(given)))
    throw wrong(`there is no folder ${dirname(given)}`, `mkdir -p ${dirname(given)}`);
}

function taken(path: string): CommandError {
  return new CommandError(`${path} is there already, and is not overwritten`, "name another file", {
    wrongInput: "path_taken",
  });
}

function nameAt(now: number): string {
  return `latchkey-${new Date(now).toISOString().replaceAll(":", "-")}.db`;
}

/** Removes the oldest backups beside the newest, and what belongs to them. @returns their paths. */
function removeOldest(newest: string, keep: number): readonly string[] {
  const folder = dirname(newest);
  const others = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && ownName.test(entry.name) && entry.name !== basename(newest))
    .map(({ name }) => join(folder, name))
    .toSorted();
  const oldest = others.slice(0, Math.max(0, others.length - (keep - 1)));
  for (const path of oldest) for (const each of [path, `${path}.secret`]) rmSync(each, { force: true });
  return oldest;
}
