import { neonConfig, Pool, type PoolClient } from "@neondatabase/serverless";
import { drizzle } from "drizzle-orm/neon-serverless";
import { drizzle as drizzleOver } from "drizzle-orm/pg-proxy";
import { lookupTimeoutMs } from "./sessions/batched.ts";
import { batchLookup } from "./sessions/lookup.ts";
import { openNeonSessions } from "./sessions/neon-sessions.ts";
import { journalText, missingMigrations } from "./apply-migrations.ts";
import type { Database, Parameter, Row, Transaction } from "./database.ts";
import {
  beginText,
  connectTimeoutMs,
  createLateStatements,
  type LateStatements,
  lookupMark,
  queryTimeoutMs,
} from "./server-statements.ts";
import { createIdleWatch } from "./idle-watch.ts";
import { NeonClient } from "./neon-log-in.ts";
import { repeatLost, storeFailure, storeUnavailable } from "./store-error.ts";
import * as schema from "./schema.postgres.ts";

/** Of `connections`, so many look sessions up, so that no other query can starve them; each takes one batch at a time. */
const lookupShare = 3 / 8;

/**
 * Opens a Neon database through its serverless driver: WebSocket connections, since sign-up needs a transaction.
 * @param connections how many at the most, lookups' included.
 */
export function openNeon(
  url: string,
  connections: number,
  proxy: string | null,
  onPoolError: (error: Error) => void,
): Database {
  // Coalescing waits a turn before each write: 1.5-3.6 ms a round trip here, against 0.4 without.
  neonConfig.coalesceWrites = false;
  if (proxy !== null) useProxy(proxy);
  const lookups = Math.max(1, Math.floor(connections * lookupShare));
  const pool = openPool(url, connections - lookups, queryTimeoutMs, onPoolError);
  const statementsLate = (lateMs: number, name?: string): LateStatements =>
    createLateStatements((text, parameters) => pool.query(text, parameters), lateMs, name);
  const read = createReader(pool, statementsLate(queryTimeoutMs));
  const watch = createIdleWatch();
  const readRequest: typeof read = (...query) => {
    watch.use();
    return read(...query);
  };
  const readingDb = drizzleOver(readRequest, { schema });
  const lookUps = openNeonSessions(
    openPool(url, lookups, lookupTimeoutMs, onPoolError),
    lookups,
    statementsLate(lookupTimeoutMs, lookupMark),
  );

  return {
    driver: "neon",
    provider: "pg",
    schema,
    sessions: watch.noting(lookUps),
    reads: () => readingDb,
    async begin(statementTimeoutMs = queryTimeoutMs) {
      watch.use();
      return transaction(await beginOn(pool, statementTimeoutMs), statementTimeoutMs);
    },
    async change(text, parameters) {
      watch.use();
      try {
        return (await read(text, [...parameters], "execute")).rows;
      } catch (cause) {
        throw storeFailure(cause);
      }
    },
    async read(text, parameters) {
      try {
        return (await readRequest(text, [...parameters], "execute")).rows;
      } catch (cause) {
        throw storeFailure(cause);
      }
    },
    idleMs: watch.idleMs,
    async probe() {
      await read(batchLookup, [[]], "all");
      return missingMigrations("pg", (await read(journalText, [], "execute")).rows);
    },
    async close() {
      await lookUps.close();
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
    // Nothing else at the start: poolers refuse what they cannot keep for a client.
    application_name: "latchkey",
  });
  pool.Client = NeonClient;
  // An idle connection that is cut raises `error` on the pool; unheard, it would end the process.
  pool.on("error", onError);
  // One that is cut while in use does so on the connection; its query fails of it, too.
  pool.on("connect", (client: PoolClient) => client.on("error", () => {}));
  return pool;
}

/** Reads, each on a connection of the pool; a read whose connection was lost is asked again. */
function createReader(pool: Pool, late: LateStatements) {
  return async (text: string, values: unknown[], method: "all" | "execute") => {
    const query = {
      text: late.mark(text),
      values,
      ...(method === "all" ? { rowMode: "array" as const } : {}),
    };
    const ask = () => pool.query<Row>(query);
    const { rows } = await repeatLost(ask).catch((error: unknown) => {
      if (isLate(error)) late.cancel();
      throw error;
    });
    return { rows };
  };
}

/** Whether the driver gave a query up, and its connection with it; it has no code for that. */
function isLate(error: unknown): boolean {
  return error instanceof Error && error.message === "Query read timeout";
}

/** Begins on a connection that answers; a pooled one that died unnoticed is replaced. */
async function beginOn(pool: Pool, statementTimeoutMs: number): Promise<PoolClient> {
  const begin = async (): Promise<PoolClient> => {
    const client = await pool.connect();
    try {
      await client.query(beginText(statementTimeoutMs));
      return client;
    } catch (error) {
      client.release(true);
      throw error;
    }
  };
  try {
    return await repeatLost(begin);
  } catch (cause) {
    throw storeUnavailable(cause);
  }
}

/** Sets how long the driver waits for each answer on this connection; it takes no such option a query. */
function boundQueries(client: PoolClient, timeoutMs: number): void {
  const { connectionParameters } = client as unknown as { connectionParameters: { query_timeout: number } };
  connectionParameters.query_timeout = timeoutMs;
}

function transaction(client: PoolClient, timeoutMs: number): Transaction {
  boundQueries(client, timeoutMs);
  const giveBack = () => {
    boundQueries(client, queryTimeoutMs);
    client.release();
  };
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
        throw storeFailure(cause);
      }
      giveBack();
    },
    async rollback() {
      if (!isOpen) return;
      isOpen = false;
      try {
        await client.query("ROLLBACK");
        giveBack();
      } catch {
        client.release(true);
      }
    },
  };
}
