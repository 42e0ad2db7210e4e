import { SQL } from "bun";
import { drizzle } from "drizzle-orm/pg-proxy";
import { withDeadline } from "../deadline.ts";
import { lookupTimeoutMs } from "./sessions/batched.ts";
import { batchLookup } from "./sessions/lookup.ts";
import { openPostgresSessions } from "./sessions/postgres-sessions.ts";
import { journalText, missingMigrations } from "./apply-migrations.ts";
import type { Database, Parameter, Row, Transaction } from "./database.ts";
import {
  beginText,
  connectTimeoutMs,
  createLateStatements,
  keepsSessions,
  type LateStatements,
  lookupMark,
  queryTimeoutMs,
} from "./server-statements.ts";
import { createIdleWatch } from "./idle-watch.ts";
import { repeatLost, storeFailure, storeUnavailable } from "./store-error.ts";
import * as schema from "./schema.postgres.ts";

/** Runs one statement; its rows as objects, or as arrays of their columns in order. */
type RunQuery = (text: string, parameters: unknown[], asArrays: boolean) => Promise<Row[]>;
type Connection = Awaited<ReturnType<SQL["reserve"]>>;

/** Opens any PostgreSQL server through Bun's own client: `connections` in all, of which one looks sessions up. */
export function openPostgres(url: string, connections: number): Database {
  const pool = new SQL(connectionOptions(url, connections - 1));
  const connect = async (): Promise<Connection> => {
    const expired = AbortSignal.timeout(connectTimeoutMs);
    return await pool.reserve({ signal: expired });
  };
  const statementsLate = (lateMs: number, name?: string): LateStatements =>
    createLateStatements(
      (text, parameters) => onConnection(connect, (run) => run(text, parameters, false)),
      lateMs,
      name,
    );
  const read = createReader(connect, statementsLate(queryTimeoutMs));
  const watch = createIdleWatch();
  // Neon's is one that sleeps, by whatever driver.
  const isNeon = new URL(url).hostname.endsWith(".neon.tech");
  const readingDb = drizzleOver((...query) => {
    watch.use();
    return read(...query);
  });
  const lookUps = openPostgresSessions({
    open: (options) => new SQL({ ...connectionOptions(url, 1), ...options }),
    keepsSessions: (asker) =>
      onConnection(connect, (run) => keepsSessions(asker, (text) => run(text, [], false))),
    late: statementsLate(lookupTimeoutMs, lookupMark),
  });

  return {
    driver: "postgres",
    provider: "pg",
    schema,
    // A verify has no time to spare where nobody needs to know of it.
    sessions: isNeon ? watch.noting(lookUps) : lookUps,
    reads: () => readingDb,
    async begin(statementTimeoutMs = queryTimeoutMs) {
      watch.use();
      return transaction(await beginOn(connect, statementTimeoutMs), statementTimeoutMs);
    },
    async change(text, parameters) {
      watch.use();
      try {
        return await read(text, [...parameters], false);
      } catch (cause) {
        throw storeFailure(cause);
      }
    },
    async read(text, parameters) {
      watch.use();
      try {
        return await read(text, [...parameters], false);
      } catch (cause) {
        throw storeFailure(cause);
      }
    },
    ...(isNeon ? { idleMs: watch.idleMs } : {}),
    async probe() {
      await read(batchLookup, ["{}"], true);
      return missingMigrations("pg", await read(journalText, [], false));
    },
    async close() {
      await lookUps.close();
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
    // A pooler may give each statement another session, where a prepared one is not known, or is another client's.
    prepare: false,
    // Nothing else at the start: poolers refuse what they cannot keep for a client.
    connection: { application_name: "latchkey", TimeZone: "UTC" },
  };
}

/** Begins on a connection that answers; a pooled one that died unnoticed is replaced. */
async function beginOn(connect: () => Promise<Connection>, statementTimeoutMs: number): Promise<Connection> {
  const begin = async (): Promise<Connection> => {
    const connection = await connect();
    try {
      const begun = connection.unsafe(beginText(statementTimeoutMs)).simple();
      await bounded(connection, Promise.resolve(begun), queryTimeoutMs);
      return connection;
    } catch (error) {
      discard(connection);
      throw error;
    }
  };
  try {
    return await repeatLost(begin);
  } catch (cause) {
    throw storeUnavailable(cause);
  }
}

class LateAnswer extends Error {
  override readonly name = "LateAnswer";
}

/** A connection that is late is closed, never used again. */
async function bounded<T>(connection: Connection, work: Promise<T>, timeoutMs: number): Promise<T> {
  return await withDeadline(work, timeoutMs, () => {
    discard(connection);
    return new LateAnswer(`no answer from PostgreSQL within ${timeoutMs} ms`);
  });
}

/** Statements on one connection, each bounded. */
function runBounded(connection: Connection, timeoutMs: number): RunQuery {
  return async (text, parameters, asArrays) => {
    const query = connection.unsafe<Row[]>(text, parameters);
    return await bounded(connection, Promise.resolve(asArrays ? query.values() : query), timeoutMs);
  };
}

/** Takes a connection of the pool for as long as `use` takes. */
async function onConnection<T>(
  connect: () => Promise<Connection>,
  use: (run: RunQuery) => Promise<T>,
): Promise<T> {
  const connection = await connect();
  try {
    return await use(runBounded(connection, queryTimeoutMs));
  } finally {
    giveBack(connection);
  }
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

/** Reads, each on a connection of its own from the pool; a read whose connection was lost is asked again. */
function createReader(connect: () => Promise<Connection>, late: LateStatements): RunQuery {
  const once: RunQuery = (text, parameters, asArrays) =>
    onConnection(connect, (run) => run(late.mark(text), parameters, asArrays)).catch((error: unknown) => {
      if (error instanceof LateAnswer) late.cancel();
      throw error;
    });
  return (...query) => repeatLost(() => once(...query));
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
        throw storeFailure(cause);
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
