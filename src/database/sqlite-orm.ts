import type { Database } from "bun:sqlite";
import { drizzle } from "drizzle-orm/bun-sqlite";
import * as schema from "./schema.sqlite.ts";

/** The tables, as Drizzle knows them. */
export { schema };

/** A Drizzle database on a connection. */
export function wrapSqlite(connection: Database): object {
  return drizzle(connection, { schema });
}
