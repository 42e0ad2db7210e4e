import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseConfig } from "../../src/config/config.ts";
import type { Database } from "../../src/database/database.ts";
import { migrateServer } from "../../src/database/migrate-server.ts";
import { migrateSqliteFile } from "../../src/database/migrate-sqlite.ts";
import { openDatabase } from "../../src/database/open.ts";
import type { TestDatabase } from "./databases.ts";

/** A test's database as the configuration names it. */
export function databaseConfigOf({ dialect, url, env }: TestDatabase): DatabaseConfig {
  if (dialect === "sqlite") return { driver: "sqlite", path: url.slice("file:".length) };
  if (dialect === "postgres") return { driver: "postgres", url, connections: 16 };
  return { driver: "neon", url, connections: 16, proxy: env["LATCHKEY_NEON_PROXY"] ?? null };
}

/** Opens a test's database in this process, its schema up to date. The caller closes it. */
export async function openMigrated(outside: TestDatabase): Promise<Database> {
  const config = databaseConfigOf(outside);
  if (config.driver === "sqlite") {
    mkdirSync(dirname(config.path), { recursive: true });
    await migrateSqliteFile(config.path);
    return openDatabase(config);
  }
  const database = openDatabase(config);
  await migrateServer(database);
  return database;
}
