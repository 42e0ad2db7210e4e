import { createGuessRules } from "../auth/guessable.ts";
import { createHashSlots } from "../auth/hash-slots.ts";
import { createOperator, type Operator } from "../auth/operator.ts";
import { createPasswords } from "../auth/password.ts";
import type { Config } from "../config/config.ts";
import type { SchemaStatus } from "../database/apply-migrations.ts";
import type { Database } from "../database/database.ts";
import { inspectSqliteSchema } from "../database/inspect-sqlite.ts";
import { readSchemaStatus } from "../database/migrate-server.ts";
import { openAsGuest } from "../database/open.ts";
import { explainServerFailure } from "../database/server-failure.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { AppError, CommandError, reasonOf } from "../errors.ts";
import { type Log, openLog, openLogWriter } from "../log.ts";
import type { CommandContext } from "./command.ts";
import { loadConfigAt, requireOwnFile } from "./place.ts";

/** How long the end waits for whoever reads the log. */
const flushTimeoutMs = 500;

/** What a command on users works with, for as long as it runs. */
export interface UsersSession {
  readonly config: Config;
  readonly database: Database;
  readonly operator: Operator;
  readonly now: number;
}

/** What one did, for the log: `userId` as soon as it is known. */
export interface Action {
  readonly event: string;
  userId?: string;
  /** Live sessions that it ended. */
  ended?: number;
}

interface UsersOptions extends Place {
  readonly json: boolean;
}

/**
 * Runs `work` on the configured database, beside servers that have it open, and writes what became of `action` to the log.
 * @throws CommandError with the reason when the database cannot be used.
 */
export async function onUsers<T>(
  context: CommandContext,
  options: UsersOptions,
  action: Action | undefined,
  work: (session: UsersSession) => Promise<T>,
): Promise<T> {
  const { config } = loadConfigAt(context, options);
  const format = options.json ? "json" : config.logFormat;
  const writer = openLogWriter({ format });
  const log = openLog({ level: config.logLevel, format }, writer);
  try {
    const result = await withDatabase(config, (database) =>
      work({ config, database, operator: operatorOn(config, database, context.now), now: context.now() }),
    );
    if (action !== undefined) logAction(log, action);
    return result;
  } catch (error) {
    const failure = config.database.driver === "sqlite" ? sqliteFailure(error) : serverFailure(error);
    if (action !== undefined) logAction(log, action, failure.wrongInput ?? "failed");
    throw failure;
  } finally {
    await writer.flush(flushTimeoutMs);
  }
}

function operatorOn(config: Config, database: Database, now: () => number): Operator {
  const passwords = createPasswords({ inTurn: createHashSlots(1), hasForeignHashes: () => false });
  return createOperator({ config, database, passwords, requireUnguessable: createGuessRules(config), now });
}

async function withDatabase<T>(config: Config, work: (database: Database) => Promise<T>): Promise<T> {
  if (config.database.driver !== "sqlite") {
    const database = openAsGuest(config.database);
    try {
      requireSchema(await readSchemaStatus(database));
      return await work(database);
    } finally {
      await database.close();
    }
  }
  const { path } = config.database;
  requireOwnFile(path, "users …");
  requireSchema(await inspectSqliteSchema(path));
  const umask = process.umask(0o077);
  const database = openAsGuest(config.database);
  try {
    return await work(database);
  } finally {
    await database.close();
    process.umask(umask);
  }
}

/** A start brings a schema up to date; a command changes nothing but users. */
function requireSchema({ applied, pending }: SchemaStatus): void {
  if (pending.length === 0) return;
  const what =
    applied.length === 0
      ? "the database has no tables of latchkey's"
      : `the database's schema is older than this latchkey: ${pending.join(", ")} pending`;
  throw new CommandError(what, "latchkey migrate, or start the server, which does it");
}

function serverFailure(error: unknown): CommandError {
  return explainServerFailure(error);
}

function sqliteFailure(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  const passes = error instanceof AppError && error.status === 503;
  const remedy = passes ? "try again; if it stays so, latchkey doctor" : "latchkey doctor";
  return new CommandError(reasonOf(error), remedy, { cause: error });
}

/** One line, as the server's actions have one. @param reason of a failure. */
function logAction(log: Log, { event, userId, ended }: Action, reason?: string): void {
  log.info(
    {
      event,
      outcome: reason === undefined ? "success" : "failure",
      ...(reason === undefined ? {} : { reason }),
      operator: process.getuid?.() ?? null,
      ...(userId === undefined ? {} : { userId }),
      ...(ended === undefined ? {} : { ended }),
    },
    event.replaceAll("_", " "),
  );
}
