import type { Database as SqliteDatabase } from "bun:sqlite";
import { pathToFileURL } from "node:url";
import { readSqlite } from "./inspect-sqlite.ts";

/** What nobody was told of: counters, the cache's own, and which migrations there are. */
const unsaid = ["latchkey_limit", "latchkey_migration", "session_change"];

/**
 * Compares a database with a copy from before its schema changed: what was acknowledged since shows in rows that the copy
 * has and it has not, or the other way round, in the columns that both have. What has expired counts as nothing.
 * @returns the differences, as `3 of session`; none where nothing but the schema is another.
 */
export async function changesSince(copy: string, path: string, now: number): Promise<readonly string[]> {
  return await readSqlite(path, (db) => {
    db.run("ATTACH ? AS before", [`${pathToFileURL(copy).href}?immutable=1`]);
    const tables = new Set([...tablesOf(db, "main"), ...tablesOf(db, "before")]);
    return [...tables].toSorted().flatMap((table) => {
      const rows = differenceIn(db, table, now);
      return rows === 0 ? [] : [`${rows} of ${table}`];
    });
  });
}

function tablesOf(db: SqliteDatabase, schema: "main" | "before"): readonly string[] {
  using statement = db.prepare<{ name: string }, []>(
    `SELECT name FROM ${schema}.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'`,
  );
  return statement.all().flatMap(({ name }) => (unsaid.includes(name) ? [] : [name]));
}

function differenceIn(db: SqliteDatabase, table: string, now: number): number {
  const [main, before] = (["main", "before"] as const).map((schema) => columnsOf(db, schema, table));
  const common = (main ?? []).filter((column) => before?.includes(column) === true);
  const lives = common.includes("expires_at") ? ` WHERE expires_at > ${now}` : "";
  const rows = (schema: string, columns: readonly string[]) =>
    `SELECT ${columns.map((column) => `"${column}"`).join() || "1"} FROM ${schema}."${table}"${lives}`;
  const count = (text: string) => {
    using statement = db.prepare<{ rows: number }, []>(`SELECT count(*) AS rows FROM (${text})`);
    return statement.get()?.rows ?? 0;
  };
  // A table that one of them alone has: nobody can tell a migration's rows from a person's.
  if (main?.length === 0) return count(rows("before", []));
  if (before?.length === 0) return count(rows("main", []));
  const [present, then] = [rows("main", common), rows("before", common)];
  return count(`${present} EXCEPT ${then}`) + count(`${then} EXCEPT ${present}`);
}

function columnsOf(db: SqliteDatabase, schema: "main" | "before", table: string): readonly string[] {
  using statement = db.prepare<{ name: string }, [string, string]>(
    "SELECT name FROM pragma_table_info(?, ?) ORDER BY name",
  );
  return statement.all(table, schema).map(({ name }) => name);
}
