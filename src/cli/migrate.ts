import type { Config } from "../config/config.ts";
import type { Database } from "../database/database.ts";
import { inspectSqliteSchema } from "../database/inspect-sqlite.ts";
import type { SchemaStatus } from "../database/apply-migrations.ts";
import { openDatabase } from "../database/open.ts";
import { migrateServer, readSchemaStatus } from "../database/migrate-server.ts";
import { migrateSqliteFile } from "../database/migrate-sqlite.ts";
import { loadSecrets, prepareDataDirectory } from "../data-directory.ts";
import { exitStatus } from "./exit-status.ts";
import { complain } from "./report-error.ts";
import type { Command, Surroundings } from "./command.ts";

/** Applies what the schema lacks, or with `status` says so and changes nothing. */
export const migrate: Command<{ readonly status?: true }> = async (surroundings, { json, status }) => {
  const { config, warnings } = surroundings.loadConfig();
  for (const warning of warnings) surroundings.tell(`Warning: ${warning}`);
  if (status === true) return report(surroundings, config, json, await statusOf(config));
  const { driver } = config.database;
  const applied =
    config.database.driver === "sqlite"
      ? await migrateFile(surroundings, config, config.database.path)
      : await withServer(config, migrateServer);
  if (json) surroundings.print(JSON.stringify({ driver, applied }));
  else surroundings.print(lines("applied", applied) || "the schema is up to date");
  return exitStatus.ok;
};

/** Reads a database's schema status, changing nothing. */
export async function statusOf(config: Config): Promise<SchemaStatus> {
  if (config.database.driver === "sqlite") return await inspectSqliteSchema(config.database.path);
  return await withServer(config, readSchemaStatus);
}

/** In the order in which the server starts, so that a database never stands without its secret. */
async function migrateFile({ tell }: Surroundings, config: Config, path: string): Promise<readonly string[]> {
  const umask = process.umask(0o077);
  try {
    const widened = prepareDataDirectory(config.dataDir);
    if (widened !== undefined) tell(`Warning: ${widened}`);
    await loadSecrets(config);
    return await migrateSqliteFile(path);
  } finally {
    process.umask(umask);
  }
}

async function withServer<T>(config: Config, work: (database: Database) => Promise<T>): Promise<T> {
  const database = openDatabase(config.database, () => {});
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

function report(
  surroundings: Surroundings,
  { database }: Config,
  json: boolean,
  status: SchemaStatus,
): number {
  const { applied, pending, unknown } = status;
  if (json) surroundings.print(JSON.stringify({ driver: database.driver, applied, pending, unknown }));
  else {
    const groups = [lines("applied", applied), lines("pending", pending), lines("unknown", unknown)];
    surroundings.print(groups.filter((group) => group !== "").join("\n"));
  }
  if (pending.length === 0) return exitStatus.ok;
  const count = pending.length === 1 ? "1 migration is" : `${pending.length} migrations are`;
  complain(surroundings, `${count} pending`, "latchkey migrate");
  return exitStatus.failed;
}

function lines(state: string, tags: readonly string[]): string {
  return tags.map((tag) => `${state}  ${tag}`).join("\n");
}
