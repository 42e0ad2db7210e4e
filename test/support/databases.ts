import { Database } from "bun:sqlite";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { SQL } from "bun";
import { startNeonRelay } from "./neon-relay.ts";
import { sharedPostgres } from "./postgres.ts";
import { temporaryDirectory } from "./reaper.ts";
import type { Network, RelayOptions } from "./relay.ts";
import { startTcpRelay } from "./tcp-relay.ts";

const allDialects = ["sqlite", "postgres", "neon"] as const;

export type Dialect = (typeof allDialects)[number];

/** The databases that tests run on: all three, but for `bun run test:fast`. */
export const dialects: readonly Dialect[] = allDialects.filter((dialect) =>
  (process.env["LATCHKEY_TEST_DIALECTS"] ?? allDialects.join()).split(",").includes(dialect),
);

/** What every driver binds alike. */
export type Parameter = string | number | bigint | boolean | null | Uint8Array;

/** An empty database nobody else uses, and the environment that points latchkey at it. */
export interface TestDatabase {
  readonly dialect: Dialect;
  /** DATABASE_URL, LATCHKEY_DATABASE_DRIVER, LATCHKEY_DATA_DIR, BETTER_AUTH_SECRET; LATCHKEY_NEON_PROXY on Neon. */
  readonly env: Readonly<Record<string, string>>;
  /** DATABASE_URL. */
  readonly url: string;
  /** What lies between latchkey and the database; null on SQLite. */
  readonly network: Network | null;
  /** Asks from outside, on a connection of its own past `network`. Parameters are `$1`, `$2` … on every dialect. */
  readonly query: (sql: string, params?: readonly Parameter[]) => Promise<Record<string, unknown>[]>;
  /** Ends every connection to it and removes it. */
  close(): Promise<void>;
}

export interface TestDatabaseOptions extends RelayOptions {
  /** Puts a pooler before the server; is given the server's URL, and gives the pooler's. */
  readonly pooled?: (url: string) => Promise<string>;
}

/** PostgreSQL and Neon use the shared server, each through a relay of its own. */
export async function openTestDatabase(
  dialect: Dialect,
  options: TestDatabaseOptions = {},
): Promise<TestDatabase> {
  const dataDir = join(temporaryDirectory(dialect), "data");
  const env = {
    LATCHKEY_DATABASE_DRIVER: dialect,
    LATCHKEY_DATA_DIR: dataDir,
    BETTER_AUTH_SECRET: randomSecret(),
  };
  if (dialect === "sqlite") return openSqlite(dataDir, env);
  return await (dialect === "postgres" ? openPostgres : openNeon)(env, options);
}

type BaseEnvironment = Readonly<Record<string, string>>;

function openSqlite(dataDir: string, env: BaseEnvironment): TestDatabase {
  const path = join(dataDir, "latchkey.db");
  const url = `file:${path}`;
  return {
    dialect: "sqlite",
    env: { ...env, DATABASE_URL: url },
    url,
    network: null,
    query: async (sql, params = []) => querySqlite(path, sql, params),
    close: async () => rmSync(dataDir, { recursive: true, force: true }),
  };
}

/** Opened anew for each question, and never created: latchkey itself makes the file and may replace it before it starts. */
function querySqlite(path: string, sql: string, params: readonly Parameter[]): Record<string, unknown>[] {
  const database = new Database(path, { readwrite: true, create: false });
  try {
    database.run("PRAGMA busy_timeout = 5000");
    // `$1` would be a named parameter, bound by order of appearance.
    using statement = database.prepare<Record<string, unknown>, Parameter[]>(sql.replace(/\$(\d+)/g, "?$1"));
    return statement.all(...params);
  } finally {
    // A statement that is left open would put the end of the connection off until it is collected: after the server was killed it would take its log away.
    database.close(true);
  }
}

async function openPostgres(env: BaseEnvironment, options: TestDatabaseOptions): Promise<TestDatabase> {
  const { direct, query, drop } = await createServerDatabase();
  const target = (await options.pooled?.(direct)) ?? direct;
  const relay = await startTcpRelay({ targetPort: Number(new URL(target).port), ...options });
  const relayed = new URL(target);
  relayed.port = String(relay.port);
  return {
    dialect: "postgres",
    env: { ...env, DATABASE_URL: relayed.href },
    url: relayed.href,
    network: relay,
    query,
    async close() {
      await relay.close();
      await drop();
    },
  };
}

async function openNeon(env: BaseEnvironment, options: TestDatabaseOptions): Promise<TestDatabase> {
  const { direct, query, drop } = await createServerDatabase();
  const url = (await options.pooled?.(direct)) ?? direct;
  const relay = await startNeonRelay(options);
  return {
    dialect: "neon",
    env: { ...env, DATABASE_URL: url, LATCHKEY_NEON_PROXY: relay.proxyUrl() },
    url,
    network: relay,
    query,
    async close() {
      await relay.close();
      await drop();
    },
  };
}

interface ServerDatabase {
  /** Past any relay. */
  readonly direct: string;
  readonly query: TestDatabase["query"];
  readonly drop: () => Promise<void>;
}

async function createServerDatabase(): Promise<ServerDatabase> {
  const server = await sharedPostgres();
  const direct = await server.createDatabase();
  const name = new URL(direct).pathname.slice(1);
  const sql = new SQL(direct, { max: 1, idleTimeout: 5 });
  return {
    direct,
    query: async (text: string, params: readonly Parameter[] = []): Promise<Record<string, unknown>[]> => [
      ...(await sql.unsafe(text, [...params])),
    ],
    async drop() {
      await sql.close();
      await server.dropDatabase(name);
    },
  };
}

function randomSecret(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
}
