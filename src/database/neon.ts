import { neonConfig, Pool, type PoolClient } from "@neondatabase/serverless";
import { drizzle } from "drizzle-orm/neon-serverless";
import { drizzle as drizzleOver } from "drizzle-orm/pg-proxy";
import { lookupTimeoutMs } from "./sessions/batched.ts";
import { lookupPoolSize, openNeonSessions } from "./sessions/neon-sessions.ts";
import type { Database, Parameter, Transaction } from "./database.ts";
import { isConnectionLoss, storeUnavailable } from "./store-error.ts";
import * as schema from "./schema.postgres.ts";

const poolSize = 10;
/** A request has 5 s; a connection that takes longer than this to get leaves too little of them. */
const connectTimeoutMs = 4_000;
const queryTimeoutMs = 4_000;

/** Opens a Neon database through its serverless driver: WebSocket connections, since sign-up needs a transaction. */
export function openNeon(url: string, proxy: string | null, onPoolError: (error: Error) => void): Database {
  // Coalescing waits a turn before each write: 1.5-3.6 ms a round trip here, against 0.4 without.
  neonConfig.coalesceWrites = false;
  if (proxy !== null) useProxy(proxy);
  const pool = openPool(url, poolSize, queryTimeoutMs, onPoolError);
  const readingDb = drizzleOver(createReader(pool), { schema });
  const sessions = openNeonSessions(openPool(url, lookupPoolSize, lookupTimeoutMs, onPoolError));

  return {
    driver: "neon",
    provider: "pg",
    schema,
    sessions,
    reads: () => readingDb,
    begin: async (statementTimeoutMs = queryTimeoutMs) =>
      transaction(await beginOn(pool, statementTimeoutMs), statementTimeoutMs),
    async ping() {
      const text = "SELECT extract(epoch from clock_timestamp())::float8 * 1000 AS now";
      return Number((await pool.query<{ now: number }>(text)).rows[0]?.now);
    },
    async close() {
      await sessions.close();
      await pool.end();
    },
  };
}

/** Sends every connection through another WebSocket proxy: `ws://host:port/path`. */
function useProxy(proxy: string): void {
  const { protocol, host, pathname } = new URL(proxy);
  neonConfig.useSecureWebSocket = protocol === "wss:";
  neonConfig.wsProxy = (server, port) => `${host}${pathname}?address=${server}:${port}`;
  // The tricks that save round trips to Neon's own proxy assume its certificate and its password scheme.
  neonConfig.pipelineConnect = false;
  neonConfig.pipelineTLS = false;
}

function openPool(
  connectionString: string,
  max: number,
  timeoutMs: number,
  onError: (error: Error) => void,
): Pool {
  const pool = new Pool({
    connectionString,
    max,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: 60_000,
    query_timeout: timeoutMs,
    statement_timeout: timeoutMs,
    application_name: "latchkey",
  });
  // An idle connection that is cut raises `error` on the pool; unheard, it would end the process.
  pool.on("error", onError);
  return pool;
}

/** Reads, each on a connection of the pool; a read whose connection was lost is asked once more. */
function createReader(pool: Pool) {
  return async (text: string, values: unknown[], method: "all" | "execute") => {
    const ask = () =>
      pool.query({ text, values, ...(method === "all" ? { rowMode: "array" as const } : {}) });
    const { rows } = await ask().catch((error: unknown) => {
      if (!isConnectionLoss(error)) throw error;
      return ask();
    });
    return { rows };
  };
}

/** Begins on a connection that answers; a pooled one that died unnoticed is replaced once. */
async function beginOn(pool: Pool, statementTimeoutMs: number): Promise<PoolClient> {
  for (let attempt = 0; ; attempt += 1) {
    let client: PoolClient | undefined;
    try {
      client = await pool.connect();
      boundQueries(client, queryTimeoutMs);
      await client.query("BEGIN");
      if (statementTimeoutMs > queryTimeoutMs)
        await client.query(`SET LOCAL statement_timeout = ${statementTimeoutMs}`);
      return client;
    } catch (cause) {
      client?.release(true);
      if (attempt > 0 || client === undefined) throw storeUnavailable(cause);
    }
  }
}

/** Sets how long the driver waits for each answer on this connection; it takes no such option a query. */
function boundQueries(client: PoolClient, timeoutMs: number): void {
  const { connectionParameters } = client as unknown as { connectionParameters: { query_timeout: number } };
  connectionParameters.query_timeout = timeoutMs;
}

function transaction(client: PoolClient, timeoutMs: number): Transaction {
  boundQueries(client, timeoutMs);
  let isOpen = true;
  return {
    db: drizzle({ client, schema }),
    async query(text: string, parameters: readonly Parameter[] = []) {
      return (await client.query<Record<string, unknown>>(text, [...parameters])).rows;
    },
    async commit() {
      if (!isOpen) return;
      isOpen = false;
      try {
        await client.query("COMMIT");
      } catch (cause) {
        client.release(true);
        throw storeUnavailable(cause);
      }
      client.release();
    },
    async rollback() {
      if (!isOpen) return;
      isOpen = false;
      try {
        await client.query("ROLLBACK");
        client.release();
      } catch {
        client.release(true);
      }
    },
  };
}
