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
import { type Action, logged } from "./action-log.ts";
import type { CommandContext } from "./command.ts";
import { loadConfigAt, requireOwnFile } from "./place.ts";

/** What a command on users works with, for as long as it runs. */
export interface UsersSession {
  readonly config: Config;
  readonly database: Database;
  readonly operator: Operator;
  readonly now: number;
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
  return await logged(
    config,
    options.json,
    action,
    () =>
      withDatabase(config, (database) =>
        work({ config, database, operator: operatorOn(config, database, context), now: context.now() }),
      ),
    config.database.driver === "sqlite" ? sqliteFailure : explainServerFailure,
  );
}

function operatorOn(config: Config, database: Database, context: CommandContext): Operator {
  const passwords = createPasswords({ inTurn: createHashSlots(1), foreignKinds: async () => [] });
  return createOperator({
    config,
    database,
    passwords,
    requireUnguessable: createGuessRules(config),
    requireUnbreached: (password) => lookUp(config, context, password),
    now: context.now,
  });
}

async function lookUp(
  { passwordBreached }: Config,
  { version, stderr }: CommandContext,
  password: string,
): Promise<void> {
  if (passwordBreached === null) return;
  const { openBreaches } = await import("../auth/breached/open-breaches.ts");
  const breaches = await openBreaches(passwordBreached, version);
  const onUnavailable = (cause: unknown) =>
    stderr(`The password could not be looked up among those of data breaches: ${reasonOf(cause)}`);
  try {
    await breaches.rule({ onOutcome: () => {}, onUnavailable })(password);
  } finally {
    await breaches.close();
  }
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
  throw new CommandError(what, "latchkey migrate for the same server, or start it, which does it");
}

function sqliteFailure(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  const passes = error instanceof AppError && error.status === 503;
  const remedy = passes ? "try again; if it stays so, latchkey doctor" : "latchkey doctor";
  return new CommandError(reasonOf(error), remedy, { cause: error });
}
