import { rmSync } from "node:fs";
import { join } from "node:path";
import { spawnLatchkey } from "../../test/support/executable.ts";
import { temporaryDirectory } from "../../test/support/reaper.ts";
import type { Executables } from "../build.ts";
import { seedSqlite } from "../seed/seed-sqlite.ts";
import { type Population, secret } from "../seed/sessions.ts";

/** A database that latchkey has migrated and the bench has filled. */
export interface SeededDatabase {
  readonly driver: "sqlite" | "postgres" | "neon";
  /** Points latchkey at it. */
  readonly env: Readonly<Record<string, string>>;
  /** Where a writer from outside connects: `file:…` or `postgres://…`, past any relay. */
  readonly url: string;
  readonly close: () => Promise<void>;
}

export async function openSqlite(executables: Executables, population: Population): Promise<SeededDatabase> {
  const directory = join(temporaryDirectory("bench-sqlite"), "data");
  const path = join(directory, "latchkey.db");
  const url = `file:${path}`;
  const env = { DATABASE_URL: url, LATCHKEY_DATA_DIR: directory, BETTER_AUTH_SECRET: secret };
  await migrate(executables, env);
  await seedSqlite(path, population);
  return {
    driver: "sqlite",
    env,
    url,
    close: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** A start brings the schema up to date. */
export async function migrate(
  executables: Executables,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const running = await spawnLatchkey({ executable: await executables("latchkey"), env });
  await running.stop();
}
