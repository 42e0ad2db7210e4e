import type { MigrationConnection } from "./migrate.ts";

/** Takes over the tables of a BetterAuth + Drizzle service. @returns false when there are none. */
export async function adoptTables(_connection: MigrationConnection): Promise<boolean> {
  return false;
}
