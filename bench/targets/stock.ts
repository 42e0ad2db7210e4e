import type { Executables } from "../build.ts";
import type { CoreSet, Cores } from "../machine/cores.ts";
import type { SeededDatabase } from "./databases.ts";
import { startTarget, type Target } from "./target.ts";

export interface StockOptions {
  readonly executables: Executables;
  readonly database: Pick<SeededDatabase, "driver" | "env">;
  readonly cores: Cores | null;
  readonly on?: CoreSet;
}

/** Starts stock BetterAuth on Elysia, compiled as latchkey is, on the same database. */
export async function startStock({
  executables,
  database,
  cores,
  on = "server",
}: StockOptions): Promise<Target> {
  const { driver } = database;
  if (driver === "neon") throw new Error("stock BetterAuth is measured on SQLite and PostgreSQL only");
  const { DATABASE_URL = "", BETTER_AUTH_SECRET = "" } = database.env;
  return await startTarget({
    name: `stock ${driver}`,
    executable: await executables(`stock-${driver}`),
    env: { DATABASE_URL, BETTER_AUTH_SECRET },
    cores,
    on,
  });
}
