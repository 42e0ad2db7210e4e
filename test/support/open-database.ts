import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Database } from "../../src/database/database.ts";
import { migrateServer } from "../../src/database/migrate-server.ts";
import { migrateSqliteFile } from "../../src/database/migrate-sqlite.ts";
import { openDatabase } from "../../src/database/open.ts";
import type { TestDatabase } from "./databases.ts";

/** Opens a test's database in this process, its schema up to date. The caller closes it. */
export async function openMigrated({ dialect, url, env }: TestDatabase): Promise<Database> {
  if (dialect === "sqlite") {
    const path = url.slice("file:".length);
    mkdirSync(dirname(path), { recursive: true });
    await migrateSqliteFile(path);
    return openDatabase({ driver: "sqlite", path });
  }
  const database = openDatabase(
    dialect === "postgres"
      ? { driver: "postgres", url, connections: 16 }
      : { driver: "neon", url, connections: 16, proxy: env["LATCHKEY_NEON_PROXY"] ?? null },
  );
  await migrateServer(database);
  return database;
}
