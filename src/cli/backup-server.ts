import { statSync } from "node:fs";
import {
  atOneMoment,
  contentOf,
  isEmptyServer,
  type LifeRules,
  removeObjects,
  type ServerContent,
  type ServerMoment,
} from "../database/copy-server.ts";
import { openAsGuest } from "../database/open.ts";
import { createDurably } from "../durable-file.ts";
import { CommandError } from "../errors.ts";
import { findPostgresTool, type ServerConfig } from "./postgres-tool.ts";
import type { CommandContext } from "./command.ts";
import { type SessionTrial, type TrialRules, trySession } from "./session-trial.ts";

/** What a dump has. */
export interface ServerBackup extends ServerContent {
  readonly bytes: number;
  /** Whether it was restored elsewhere, and tried there. */
  readonly verified: boolean;
  readonly session: SessionTrial;
}

/**
 * Has pg_dump write a server's database to `file`, which is not there yet, and counts what is in it.
 * @param scratch a database that is empty, and is so again afterwards, in which the dump is tried.
 * @returns null where the name is taken meanwhile. @throws CommandError, with nothing written.
 */
export async function backupServer(
  context: CommandContext,
  source: ServerConfig,
  file: string,
  scratch: ServerConfig | null,
  rules: TrialRules,
): Promise<ServerBackup | null> {
  const dump = findPostgresTool("pg_dump", context);
  if (dump === null) throw new CommandError("pg_dump is not in PATH any more", "latchkey backup --help");
  const database = openAsGuest(source);
  try {
    await dump.requireVersion(database);
    if (scratch !== null) await requireEmpty(scratch, "the scratch database");
    let backup: ServerBackup | undefined;
    const isOurs = await createDurably(file, async (temporary) => {
      const made = await atOneMoment(database, lifetimeBy(rules), async (moment) => {
        await dump.run(source, [
          "--format=custom",
          "--no-owner",
          `--snapshot=${moment.snapshot}`,
          `--file=${temporary}`,
        ]);
        return moment;
      });
      const session = scratch === null ? "untried" : await tryDump(context, temporary, scratch, made, rules);
      backup = { ...made.content, bytes: statSync(temporary).size, verified: scratch !== null, session };
    });
    return isOurs && backup !== undefined ? backup : null;
  } finally {
    await database.close();
  }
}

/** Restores a dump into a database, and compares what is then in it. */
async function tryDump(
  context: CommandContext,
  dump: string,
  scratch: ServerConfig,
  { content: expected, token, objects }: ServerMoment,
  rules: TrialRules,
): Promise<SessionTrial> {
  await loadDump(context, dump, scratch);
  const database = openAsGuest(scratch);
  try {
    const found = await contentOf(database);
    for (const table of ["users", "accounts", "sessions", "verifications", "locks"] as const)
      if (found[table] !== expected[table])
        throw new CommandError(
          `the dump has ${found[table]} ${table}, and the database had ${expected[table]}`,
          "try again",
        );
    return await trySession(database.sessions, token, rules);
  } finally {
    await removeObjects(database, objects).finally(() => database.close());
  }
}

/** By which a session that is tried lives. */
export function lifetimeBy({ config, now }: TrialRules): LifeRules {
  return { maxAgeSeconds: config.sessionMaxAgeSeconds, now };
}

/** Has pg_restore fill a database, all or nothing. @throws CommandError. */
export async function loadDump(context: CommandContext, dump: string, target: ServerConfig): Promise<void> {
  const tool = findPostgresTool("pg_restore", context);
  if (tool === null)
    throw new CommandError("pg_restore is not in PATH, where pg_dump is", "install both, of one version");
  await tool.run(target, ["--no-owner", "--exit-on-error", "--single-transaction", dump]);
}

/** @throws CommandError where a database has anything. */
export async function requireEmpty(target: ServerConfig, what: string): Promise<void> {
  const database = openAsGuest(target);
  try {
    if (await isEmptyServer(database)) return;
  } finally {
    await database.close();
  }
  throw new CommandError(
    `${what} ${new URL(target.url).pathname.slice(1)} is not empty`,
    "createdb another one",
    {
      wrongInput: "database_not_empty",
    },
  );
}

/** The scratch database that an option names. @throws CommandError where it names none. */
export function scratchAt(text: string, source: ServerConfig, password: string | undefined): ServerConfig {
  const wrong = (reason: string, remedy: string) =>
    new CommandError(`--verify-into ${reason}`, remedy, { wrongInput: "usage" });
  const url = /^postgres(?:ql)?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.pathname.length < 2)
    throw wrong("is no postgresql:// URL of a database", "write postgresql://user@host:5432/scratch");
  if (url.password !== "" || url.searchParams.has("password"))
    throw wrong(
      "holds a password, which everybody on this machine could read",
      "leave it away: the one of DATABASE_URL is taken for the same server and user, or else PGPASSWORD",
    );
  const own = new URL(source.url);
  const isSame = own.host === url.host && (url.username === "" || url.username === own.username);
  if (isSame && url.username === "") url.username = own.username;
  url.password = isSame ? own.password : encodeURIComponent(password ?? "");
  if (isSame && url.search === "") url.search = own.search;
  return { ...source, url: url.href, connections: 2 };
}
