import { rmSync } from "node:fs";
import { join } from "node:path";
import { spawnLatchkey } from "../../test/support/executable.ts";
import { startNeonRelay } from "../../test/support/neon-relay.ts";
import { sharedPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { temporaryDirectory } from "../../test/support/reaper.ts";
import { startTcpRelay } from "../../test/support/tcp-relay.ts";
import type { Executables } from "../build.ts";
import { argon2idHash } from "../seed/password-hash.ts";
import { seedPostgres } from "../seed/seed-postgres.ts";
import { seedSqlite } from "../seed/seed-sqlite.ts";
import { type Population, secret } from "../seed/sessions.ts";

/** A way to a database that latchkey has migrated and the bench has filled. */
export interface SeededDatabase {
  readonly driver: "sqlite" | "postgres" | "neon";
  /** Points latchkey at it. */
  readonly env: Readonly<Record<string, string>>;
  /** Where a writer from outside connects: `file:…` or `postgres://…`, past any relay. */
  readonly url: string;
  readonly close: () => Promise<void>;
}

/** @param hash makes the hash of every user's password; latchkey's own kind by default. */
export async function openSqlite(
  executables: Executables,
  population: Population,
  hash: () => Promise<string> = argon2idHash,
): Promise<SeededDatabase> {
  const directory = join(temporaryDirectory("bench-sqlite"), "data");
  const path = join(directory, "latchkey.db");
  const url = `file:${path}`;
  const env = { DATABASE_URL: url, LATCHKEY_DATA_DIR: directory, BETTER_AUTH_SECRET: secret };
  await migrate(executables, env);
  seedSqlite(path, population, await hash());
  const close = async () => rmSync(directory, { recursive: true, force: true });
  return { driver: "sqlite", env, url, close };
}

/** One filled PostgreSQL database, to which several ways lead; `close` removes it. */
export async function openPostgres(
  executables: Executables,
  population: Population,
): Promise<SeededDatabase> {
  return await openPostgresOn(await sharedPostgres(), executables, population);
}

/** The same on a server of the caller's. */
export async function openPostgresOn(
  server: TestPostgres,
  executables: Executables,
  population: Population,
): Promise<SeededDatabase> {
  const url = await server.createDatabase();
  const env = { DATABASE_URL: url, LATCHKEY_DATABASE_DRIVER: "postgres", BETTER_AUTH_SECRET: secret };
  await migrate(executables, env);
  await seedPostgres(url, population);
  const close = () => server.dropDatabase(new URL(url).pathname.slice(1));
  return { driver: "postgres", env, url, close };
}

/** The same database behind a network with `delayMs` a round trip. */
export async function behindNetwork(database: SeededDatabase, delayMs: number): Promise<SeededDatabase> {
  const address = new URL(database.url);
  const relay = await startTcpRelay({ targetPort: Number(address.port), delayMs });
  address.port = String(relay.port);
  return { ...database, env: { ...database.env, DATABASE_URL: address.href }, close: relay.close };
}

/** The same database through Neon's driver, over a WebSocket relay with `delayMs` a round trip. */
export async function throughNeon(database: SeededDatabase, delayMs: number): Promise<SeededDatabase> {
  const relay = await startNeonRelay({ delayMs });
  const env = {
    ...database.env,
    LATCHKEY_DATABASE_DRIVER: "neon",
    LATCHKEY_NEON_PROXY: relay.proxyUrl(),
  };
  return { ...database, driver: "neon", env, close: relay.close };
}

/** A start brings the schema up to date. */
async function migrate(executables: Executables, env: Readonly<Record<string, string>>): Promise<void> {
  const running = await spawnLatchkey({ executable: await executables("latchkey"), env });
  await running.stop();
}
