import type { Database } from "bun:sqlite";
import type { MigrationConnection } from "./apply-migrations.ts";

/** The first bytes of every database: https://sqlite.org/fileformat.html §1.3. */
export const sqliteMagic = "SQLite format 3\0";

/** A SQLite connection as migrations and inspections ask it. */
export function connectionOf(db: Database): MigrationConnection {
  return {
    provider: "sqlite",
    async query(text, parameters = []) {
      return db.query<Record<string, unknown>, (string | number | boolean | null)[]>(text).all(...parameters);
    },
  };
}
