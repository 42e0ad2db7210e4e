import { SQL } from "bun";
import { drizzle } from "drizzle-orm/pg-proxy";
import { withDeadline } from "../deadline.ts";
import { openPostgresSessions } from "./sessions/postgres-sessions.ts";
import type { Database, Parameter, Row, Transaction } from "./database.ts";
import { isConnectionLoss, storeUnavailable } from "./store-error.ts";
import * as schema from "./schema.postgres.ts";

/** Connections for everything but session lookups, which have their own. */
const poolSize = 10;
/** A request has 5 s; a connection that takes longer than this to get leaves too little of them. */
const connectTimeoutMs = 4_000;
const queryTimeoutMs = 4_000;

/** Runs one statement; its rows as objects, or as arrays of their columns in order. */
type RunQuery = (text: string, parameters: unknown[], asArrays: boolean) => Promise<Row[]>;
type Connection = Awaited<ReturnType<SQL["reserve"]>>;

/** Opens any PostgreSQL server through Bun's own client. */
export function openPostgres(url: string): Database {
  const pool = new SQL(connectionOptions(url, poolSize));
  const connect = async (): Promise<Connection> => {
    const expired = AbortSignal.timeout(connectTimeoutMs);
    return await pool.reserve({ signal: expired });
  };
  const read = createReader(connect);
  const readingDb = drizzleOver(read);
  const sessions = openPostgresSessions(() => new SQL(connectionOptions(url, 1)));

  return {
    driver: "postgres",
    provider: "pg",
    schema,
    sessions,
    reads: () => readingDb,
    begin: async (statementTimeoutMs = queryTimeoutMs) =>
      transaction(await beginOn(connect, statementTimeoutMs), statementTimeoutMs),
    async ping() {
      const text = "SELECT extract(epoch from clock_timestamp())::float8 * 1000 AS now";
      return Number((await read(text, [], false))[0]?.["now"]);
    },
    async close() {
      await sessions.close();
      await pool.close({ timeout: 1 });
    },
  };
}

function connectionOptions(url: string, max: number): SQL.PostgresOrMySQLOptions {
  return {
    adapter: "postgres",
    url,
    max,
    connectionTimeout: connectTimeoutMs / 1000,
    // Idle connections keep a sleeping server awake and are what firewalls cut silently.
    idleTimeout: 60,
    connection: {
      application_name: "latchkey",
      TimeZone: "UTC",
      statement_timeout: queryTimeoutMs,
      lock_timeout: 2_000,
    },
  };
}

/** Begins on a connection that answers; a pooled one that died unnoticed is replaced once. */
async function beginOn(connect: () => Promise<Connection>, statementTimeoutMs: number): Promise<Connection> {
  for (let attempt = 0; ; attempt += 1) {
    let connection: Connection | undefined;
    try {
      connection = await connect();
      await runBounded(connection, queryTimeoutMs)("BEGIN", [], false);
      if (statementTimeoutMs > queryTimeoutMs) {
        const extend = `SET LOCAL statement_timeout = ${statementTimeoutMs}`;
        await runBounded(connection, queryTimeoutMs)(extend, [], false);
      }
      return connection;
    } catch (cause) {
      discard(connection);
      if (attempt > 0 || !isConnectionLoss(cause)) throw storeUnavailable(cause);
    }
  }
}

/** Statements on one connection, each bounded: a connection that is late is closed, never used again. */
function runBounded(connection: Connection, timeoutMs: number): RunQuery {
  return async (text, parameters, asArrays) => {
    const query = connection.unsafe<Row[]>(text, parameters);
    return await withDeadline(Promise.resolve(asArrays ? query.values() : query), timeoutMs, () => {
      discard(connection);
      return new Error(`no answer from PostgreSQL within ${timeoutMs} ms`);
    });
  };
}

/** Closes a connection that may be in any state; the server rolls back what it leaves open. */
function discard(connection: Connection | undefined): void {
  void connection?.close().catch(() => {});
}

/** Gives a connection back to the pool; one that cannot be given back is gone, which concerns nobody's answer. */
function giveBack(connection: Connection): void {
  void connection.release().catch(() => discard(connection));
}

function drizzleOver(run: RunQuery) {
  return drizzle(
    async (text, parameters, method) => ({ rows: await run(text, parameters, method === "all") }),
    {
      schema,
    },
  );
}

/** Reads, each on a connection of its own from the pool; a read whose connection was lost is asked once more. */
function createReader(connect: () => Promise<Connection>): RunQuery {
  const once: RunQuery = async (...query) => {
    const connection = await connect();
    try {
      return await runBounded(connection, queryTimeoutMs)(...query);
    } finally {
      giveBack(connection);
    }
  };
  return (...query) =>
    once(...query).catch((error: unknown) => {
      if (!isConnectionLoss(error)) throw error;
      return once(...query);
    });
}

function transaction(connection: Connection, timeoutMs: number): Transaction {
  const run = runBounded(connection, timeoutMs);
  let isOpen = true;
  return {
    db: drizzleOver(run),
    query: async (text: string, parameters: readonly Parameter[] = []) =>
      await run(text, [...parameters], false),
    async commit() {
      if (!isOpen) return;
      isOpen = false;
      try {
        await run("COMMIT", [], false);
      } catch (cause) {
        discard(connection);
        throw storeUnavailable(cause);
      }
      giveBack(connection);
    },
    async rollback() {
      if (!isOpen) return;
      isOpen = false;
      try {
        await run("ROLLBACK", [], false);
        giveBack(connection);
      } catch {
        discard(connection);
      }
    },
  };
}
