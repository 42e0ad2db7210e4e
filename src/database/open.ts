import type { DatabaseConfig } from "../config.ts";
import type { Database } from "./database.ts";
import { openNeon } from "./neon.ts";
import { openPostgres } from "./postgres.ts";
import { openSqlite } from "./sqlite.ts";

/** Opens the configured database; it must have been migrated. `onPoolError` hears of idle connections that were cut. */
export function openDatabase(config: DatabaseConfig, onPoolError: (error: Error) => void): Database {
  switch (config.driver) {
    case "sqlite":
      return openSqlite(config.path);
    case "postgres":
      return openPostgres(config.url);
    case "neon":
      return openNeon(config.url, config.proxy, onPoolError);
  }
}
