import { existsSync } from "node:fs";
import type { Config } from "../config/config.ts";
import type { Database } from "../database/database.ts";
import { inspectSqliteSchema } from "../database/inspect-sqlite.ts";
import type { SchemaStatus } from "../database/apply-migrations.ts";
import { openDatabase } from "../database/open.ts";
import { migrateServer, readSchemaStatus } from "../database/migrate-server.ts";
import { migrateSqliteFile } from "../database/migrate-sqlite.ts";
import { migrations } from "../database/migrations.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { loadSecrets, prepareDataDirectory } from "../data-directory.ts";
import { type Action, logged } from "./action-log.ts";
import { type Command, type CommandContext, exitStatus, printFailure } from "./command.ts";
import { loadConfigAt, placeOptions, requireOwnFile, requireOwnFolder } from "./place.ts";

/** Applies what the schema lacks, or with `status` says so and changes nothing. */
export const migrate: Command<Place & { readonly status?: true }> = async (
  context,
  { json, status, ...place },
) => {
  const { config, warnings } = loadConfigAt(context, place);
  for (const warning of warnings) context.stderr(`Warning: ${warning}`);
  if (status === true) return report(context, config, { json, place }, await statusOf(config));
  const { driver } = config.database;
  if (Object.keys(place).length > 0) requireOwner(config);
  let snapshot: string | undefined;
  const action: Action = { event: "migration" };
  const applied = await logged(config, json, action, async () => {
    const tags =
      config.database.driver === "sqlite"
        ? await migrateFile(context, config, config.database.path, (path) => (snapshot = path))
        : await withServer(config, migrateServer);
    action.details = { applied: tags, ...(snapshot === undefined ? {} : { snapshot }) };
    return tags;
  });
  if (json) context.stdout(JSON.stringify({ driver, applied, snapshot }));
  else context.stdout(lines("applied", applied) || "the schema is up to date");
  if (snapshot !== undefined)
    context.stderr(`To go back: latchkey restore ${snapshot}, by the latchkey before this one`);
  return exitStatus.ok;
};

/** Reads a database's schema status, changing nothing. */
export async function statusOf(config: Config): Promise<SchemaStatus> {
  if (config.database.driver === "sqlite") return await inspectSqliteSchema(config.database.path);
  return await withServer(config, readSchemaStatus);
}

/** Of a server elsewhere: this user may be another than its. @throws CommandError where it could not open what is made. */
function requireOwner({ database }: Config): void {
  if (database.driver !== "sqlite") return;
  if (existsSync(database.path)) requireOwnFile(database.path, "migrate");
  else requireOwnFolder(database.path, "migrate");
}

/** In the order in which the server starts, so that a database never stands without its secret. */
async function migrateFile(
  { stderr }: CommandContext,
  config: Config,
  path: string,
  onSnapshot: (snapshot: string) => void,
): Promise<readonly string[]> {
  const umask = process.umask(0o077);
  try {
    const widened = prepareDataDirectory(config.dataDir);
    if (widened !== undefined) stderr(`Warning: ${widened}`);
    await loadSecrets(config);
    return await migrateSqliteFile(path, onSnapshot);
  } finally {
    process.umask(umask);
  }
}

async function withServer<T>(config: Config, work: (database: Database) => Promise<T>): Promise<T> {
  const database = openDatabase(config.database);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

function report(
  context: CommandContext,
  { database }: Config,
  { json, place }: { readonly json: boolean; readonly place: Place },
  status: SchemaStatus,
): number {
  const { applied, pending, unknown } = status;
  if (json)
    context.stdout(
      JSON.stringify({
        driver: database.driver,
        applied,
        pending,
        unknown,
        minReader: minReaderOf(database),
      }),
    );
  else {
    const groups = [lines("applied", applied), lines("pending", pending), lines("unknown", unknown)];
    context.stdout(groups.filter((group) => group !== "").join("\n"));
  }
  if (pending.length === 0) return exitStatus.ok;
  const count = pending.length === 1 ? "1 migration is" : `${pending.length} migrations are`;
  printFailure(context, `${count} pending`, `latchkey migrate${placeOptions(place)}`);
  return exitStatus.failed;
}

/** The lowest number of known migrations with which a latchkey can work on what this one makes of the schema. */
function minReaderOf({ driver }: Config["database"]): number {
  return Math.max(...migrations[driver === "sqlite" ? "sqlite" : "pg"].map(({ minReader }) => minReader));
}

function lines(state: string, tags: readonly string[]): string {
  return tags.map((tag) => `${state}  ${tag}`).join("\n");
}
