import type { DatabaseConfig } from "../config/config.ts";
import type { Database } from "./database.ts";
import type * as neon from "./neon.ts";
import type * as postgres from "./postgres.ts";
import type * as sqlite from "./sqlite.ts";

/** What happens to an open database by itself. */
export interface DatabaseEvents {
  /** An idle connection was cut. */
  readonly onPoolError?: (error: Error) => void;
  /** The file lost its name, or its log did; nothing is read or written any more. */
  readonly onFileLost?: (error: Error) => void;
}

/** A command asks one thing after another; one connection more looks sessions up, which none does. */
const guestConnections = 2;

/** Opens the configured database for a command, beside a server that may have it open. */
export function openAsGuest(config: DatabaseConfig): Database {
  return openDatabase(
    config.driver === "sqlite" ? config : { ...config, connections: guestConnections },
    {},
    true,
  );
}

/** Opens the configured database; it must have been migrated. */
export function openDatabase(
  config: DatabaseConfig,
  { onPoolError = () => {}, onFileLost = () => {} }: DatabaseEvents = {},
  isGuest = false,
): Database {
  // Required where they are used: Neon's driver alone takes 20 ms of a start that does without it.
  switch (config.driver) {
    case "sqlite": {
      const { openSqlite } = require("./sqlite.ts") as typeof sqlite;
      return openSqlite(config.path, onFileLost, isGuest);
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
