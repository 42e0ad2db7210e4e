import { existsSync, rmSync } from "node:fs";
import { setPriority } from "node:os";
import { join, resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { saveSecret } from "../data-directory.ts";
import { checkSqlite, copySqlite, type SqliteContent } from "../database/copy-sqlite.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { createDurably } from "../durable-file.ts";
import { CommandError } from "../errors.ts";
import { lockFile } from "../file-lock.ts";
import { endWithParent } from "../workers/parent-end.ts";
import { type Action, logged } from "./action-log.ts";
import { backupNameAt, newestBackup, removeOldest, removeUnfinished, requireRoom } from "../backup-folder.ts";
import { backupPostgres } from "./backup-postgres.ts";
import { type Command, type CommandContext, exitStatus } from "./command.ts";
import { requireEmbedded } from "./dump-command.ts";
import { pathTaken } from "./failure.ts";
import { knownSecrets } from "./known-secrets.ts";
import { loadConfigAt, requireOwnFile } from "./place.ts";
import { describeTrial, type TrialRules, trySqlite } from "./session-trial.ts";

interface BackupOptions extends Place {
  readonly file: string;
  readonly withSecret?: true;
  /** How many of its own it leaves in the folder `file`. */
  readonly keep?: number;
  /** For `serve`, which started it: nothing is done where the newest in the folder is younger, in seconds. */
  readonly scheduled?: number;
  /** The URL of an empty database in which a server's dump is tried. */
  readonly verifyInto?: string;
}

/** What a copy has, and what came of trying it. */
export type TriedContent = SqliteContent & Awaited<ReturnType<typeof trySqlite>>;
type BackupRules = TrialRules & { readonly config: Config };

/** Copies the database, beside the servers that have it open, and tries the copy before it gets its name. */
export const backup: Command<BackupOptions> = async (context, options) => {
  const { config } = loadConfigAt(context, options);
  const given = resolve(context.cwd, options.file);
  const action: Action = { event: "backup", details: { path: given } };
  // Of one that `serve` has started, its own log tells.
  const told = options.scheduled === undefined ? action : undefined;
  return await logged(config, options.json, told, async () =>
    config.database.driver === "sqlite"
      ? await backupSqlite(context, config, { ...options, given }, action)
      : await backupPostgres(context, config, config.database, { ...options, given }, action),
  );
};

async function backupSqlite(
  context: CommandContext,
  config: Config,
  { json, given, ...options }: BackupOptions & { readonly json: boolean; readonly given: string },
  action: Action,
): Promise<number> {
  if (options.verifyInto !== undefined)
    throw new CommandError(
      "--verify-into is for a server's database: the copy of an embedded one is tried in any case",
      "leave it away",
      { wrongInput: "usage" },
    );
  const file = options.keep === undefined ? given : join(given, backupNameAt(context.now()));
  const source = requireEmbedded(config, "backup", file);
  const secret = options.withSecret === true ? secretFile(config, file) : null;
  requireOwnFile(source, "backup …");
  if (options.scheduled !== undefined) standBack();
  // Of two in one folder, one would take the other's for the oldest, or for what a killed one has left.
  const release = options.keep === undefined ? () => {} : lockFile(source);
  if (release === null && options.scheduled !== undefined) return skip(context, "busy");
  if (release === null)
    throw new CommandError(`another latchkey makes a backup of ${source}`, "wait until that one is done");
  const umask = process.umask(0o077);
  let content: TriedContent;
  let removed: readonly string[];
  try {
    requireRoom(given, options.keep);
    if (options.keep !== undefined) removeUnfinished(given);
    if (options.scheduled !== undefined) {
      const newest = newestBackup(given, context.now());
      if (newest !== null && newest.at + options.scheduled * 1_000 > context.now())
        return skip(context, newest.path);
    }
    for (const path of [file, ...(secret === null ? [] : [secret])])
      if (existsSync(path)) throw pathTaken(path);
    const rules = { config, secrets: await knownSecrets(config), now: context.now() };
    content = await writeBackup(rules, source, file, secret);
    removed = options.keep === undefined ? [] : removeOldest(file, options.keep);
  } finally {
    process.umask(umask);
    release();
  }
  const { pending, unknown: _, orphans, ...figures } = content;
  action.details = { path: file, ...figures, withSecret: secret !== null, removed: removed.length };
  if (json) context.stdout(JSON.stringify({ path: file, ...figures, secret, removed }));
  else {
    context.stdout(describe(file, content));
    if (secret !== null) context.stdout(`${secret}: the secret; keep it apart from the backup`);
    for (const path of removed) context.stdout(`${path}: removed`);
  }
  if (orphans > 0) warnOfOrphans(context, orphans);
  if (pending.length > 0)
    context.stderr(`Its schema is older than this latchkey: the next start applies ${pending.join(", ")}`);
  if (secret === null && config.secrets.length === 0)
    context.stderr(
      "The secret is not in it: without that everybody has to sign in again after a restore (--with-secret)",
    );
  return exitStatus.ok;
}

/** Ends with the server, and leaves it the cores. */
function standBack(): void {
  endWithParent();
  try {
    setPriority(10);
  } catch {
    // Somebody who may not.
  }
}

/** @param why the backup that is there, or `busy`. */
function skip({ stdout }: CommandContext, why: string): number {
  stdout(JSON.stringify({ skipped: why }));
  return exitStatus.ok;
}

/** A line on a database. */
export function describe(path: string, { bytes, users, sessions, session }: TriedContent): string {
  return `${path}: ${bytes} bytes, ${users} accounts, ${sessions} sessions${describeTrial(session)}`;
}

/** Rows that a deletion by hand left. */
export function warnOfOrphans({ stderr }: CommandContext, count: number): void {
  stderr(`Warning: ${count} of its rows refer to rows that are not there; latchkey doctor says more`);
}

async function writeBackup(
  rules: BackupRules,
  source: string,
  file: string,
  secret: string | null,
): Promise<TriedContent> {
  const result = Promise.withResolvers<TriedContent>();
  const isOurs = await createDurably(file, async (temporary) => {
    await copySqlite(source, temporary);
    const content = await checkSqlite(temporary, "latchkey doctor");
    result.resolve({ ...content, ...(await trySqlite(temporary, content, rules)) });
  });
  if (!isOurs) throw pathTaken(file);
  if (secret === null) return await result.promise;
  try {
    if (!(await saveSecret(rules.config, secret))) throw pathTaken(secret);
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
