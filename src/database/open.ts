import type { DatabaseConfig } from "../config/config.ts";
import type { Database } from "./database.ts";
import type * as neon from "./neon.ts";
import type * as postgres from "./postgres.ts";
import type * as sqlite from "./sqlite.ts";

/** Opens the configured database; it must have been migrated. `onPoolError` hears of idle connections that were cut. */
export function openDatabase(config: DatabaseConfig, onPoolError: (error: Error) => void): Database {
  // Required where they are used: Neon's driver alone takes 20 ms of a start that does without it.
  switch (config.driver) {
    case "sqlite": {
      const { openSqlite } = require("./sqlite.ts") as typeof sqlite;
      return openSqlite(config.path);
    }
    case "postgres": {
      const { openPostgres } = require("./postgres.ts") as typeof postgres;
      return openPostgres(config.url, config.connections);
    }
    case "neon": {
      const { openNeon } = require("./neon.ts") as typeof neon;
      return openNeon(config.url, config.connections, config.proxy, onPoolError);
    }
  }
}
