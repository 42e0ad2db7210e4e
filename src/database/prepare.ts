import type { DatabaseConfig } from "../config.ts";
import { adoptTables } from "./adopt.ts";
import type { Database } from "./database.ts";
import { applyMigrations, type SchemaStatus, schemaStatus } from "./migrate.ts";
import { migrateSqliteFile, sqliteSchemaStatus } from "./sqlite-file.ts";

/** The key of the advisory lock under which one process migrates at a time. */
const migrationLock = 7_263_451;

/** Applies what is missing, under a lock that other starting instances wait for. @returns the tags applied now. */
export async function migrateServer(database: Database): Promise<readonly string[]> {
  const transaction = await database.begin();
  try {
    // The transaction's own lock: one of the session would be lost behind a pooler.
    await transaction.query(`SELECT pg_advisory_xact_lock(${migrationLock})`);
    const applied = await applyMigrations({ provider: "pg", query: transaction.query }, adoptTables);
    await transaction.commit();
    return applied;
  } catch (error) {
    await transaction.rollback();
    throw error;
  }
}

/** Reads what is applied and what is missing, changing nothing. */
export async function readSchemaStatus(config: DatabaseConfig, database: Database): Promise<SchemaStatus> {
  if (config.driver === "sqlite") return await sqliteSchemaStatus(config.path);
  const transaction = await database.begin();
  try {
    return await schemaStatus({ provider: "pg", query: transaction.query });
  } finally {
    await transaction.rollback();
  }
}

export { migrateSqliteFile };
