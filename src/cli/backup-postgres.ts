import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { contentOf, livingToken } from "../database/copy-server.ts";
import { openAsGuest } from "../database/open.ts";
import { CommandError } from "../errors.ts";
import { lockFile } from "../file-lock.ts";
import type { Action } from "./action-log.ts";
import { backupNameAt, removeOldest, removeUnfinished, requireRoom } from "../backup-folder.ts";
import {
  backupServer,
  lifetimeBy,
  loadDump,
  requireEmpty,
  scratchAt,
  type ServerBackup,
} from "./backup-server.ts";
import { type CommandContext, exitStatus } from "./command.ts";
import { requireEmbedded } from "./dump-command.ts";
import { pathTaken } from "./failure.ts";
import { findPostgresTool, type ServerConfig } from "./postgres-tool.ts";
import { describeTrial, type TrialRules, trySession } from "./session-trial.ts";

interface DumpOptions {
  readonly json: boolean;
  /** Absolute. */
  readonly given: string;
  readonly withSecret?: true;
  readonly keep?: number;
  readonly verifyInto?: string;
}

/** The first bytes of what pg_dump writes by `--format=custom`. */
const dumpMagic = "PGDMP";

/** `latchkey backup` of a server's database, by pg_dump. @returns the exit status. */
export async function backupPostgres(
  context: CommandContext,
  config: Config,
  source: ServerConfig,
  { json, given, withSecret, keep, verifyInto }: DumpOptions,
  action: Action,
): Promise<number> {
  const file = keep === undefined ? given : join(given, backupNameAt(context.now(), "dump"));
  if (findPostgresTool("pg_dump", context) === null) requireEmbedded(config, "backup", file);
  if (withSecret === true)
    throw new CommandError(
      "--with-secret: a server database has no generated secret, but one that is set by BETTER_AUTH_SECRET or its like",
      "leave --with-secret away, and keep that setting yourself",
      { wrongInput: "configured_secret" },
    );
  const scratch =
    verifyInto === undefined ? null : scratchAt(verifyInto, source, context.environment["PGPASSWORD"]);
  const umask = process.umask(0o077);
  let release: (() => void) | null = () => {};
  let backup: ServerBackup;
  let removed: readonly string[];
  try {
    requireRoom(given, keep);
    if (keep !== undefined) release = lockFile(given);
    if (release === null)
      throw new CommandError(`another latchkey makes a backup in ${given}`, "wait until that one is done");
    if (keep !== undefined) removeUnfinished(given);
    if (statSync(file, { throwIfNoEntry: false }) !== undefined) throw pathTaken(file);
    const made = await backupServer(context, source, file, scratch, rulesOf(context, config));
    if (made === null) throw pathTaken(file);
    backup = made;
    removed = keep === undefined ? [] : removeOldest(file, keep);
  } finally {
    process.umask(umask);
    release?.();
  }
  action.details = { path: file, ...backup, removed: removed.length };
  if (json) context.stdout(JSON.stringify({ path: file, ...backup, secret: null, removed }));
  else {
    context.stdout(describe(file, backup));
    if (backup.verified) context.stdout("restored into the scratch database and found whole");
    for (const path of removed) context.stdout(`${path}: removed`);
  }
  return exitStatus.ok;
}

/** `latchkey restore` of a server's database, which must be empty, by pg_restore. @returns the exit status. */
export async function restorePostgres(
  context: CommandContext,
  config: Config,
  target: ServerConfig,
  dump: string,
  json: boolean,
  action: Action,
): Promise<number> {
  if (findPostgresTool("pg_restore", context) === null) requireEmbedded(config, "restore", dump);
  requireDump(dump);
  await requireEmpty(target, "the database");
  await loadDump(context, dump, target);
  const database = openAsGuest(target);
  try {
    const rules = rulesOf(context, config);
    const token = await livingToken(database, lifetimeBy(rules));
    const session = await trySession(database.sessions, token, rules);
    const content = { ...(await contentOf(database)), bytes: statSync(dump).size, session };
    action.details = { path: dump, ...content };
    if (json) context.stdout(JSON.stringify({ path: dump, ...content, kept: null, keptSecret: null }));
    else context.stdout(describe(dump, content));
  } finally {
    await database.close();
  }
  return exitStatus.ok;
}

/** A line on a dump. */
function describe(path: string, { bytes, users, sessions, session }: Omit<ServerBackup, "verified">): string {
  return `${path}: ${bytes} bytes, ${users} accounts, ${sessions} sessions${describeTrial(session)}`;
}

/** A server's secrets are settings. */
function rulesOf({ now }: CommandContext, config: Config): TrialRules {
  return { config, secrets: config.secrets, now: now() };
}

function requireDump(path: string): void {
  const wrong = (reason: string) =>
    new CommandError(`${path} ${reason}`, "name a file that latchkey backup wrote of a server's database", {
      wrongInput: "unusable_backup",
    });
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) throw wrong("is not a file");
  const start = Buffer.alloc(dumpMagic.length);
  const descriptor = openSync(path, "r");
  readSync(descriptor, start);
  closeSync(descriptor);
  if (start.toString("latin1") !== dumpMagic) throw wrong("is not what pg_dump --format=custom writes");
}
