import { SQL } from "bun";
import { drizzle } from "drizzle-orm/bun-sql";
import { withDeadline } from "../deadline.ts";
import { openPostgresSessions } from "./sessions/postgres-sessions.ts";
import type { Database, Parameter, Row, Transaction } from "./database.ts";
import { errorCode, storeUnavailable } from "./store-error.ts";
import * as schema from "./schema.postgres.ts";

/** Connections for everything but session lookups, which have their own. */
const poolSize = 10;
/** A request has 5 s; a connection that takes longer than this to get leaves too little of them. */
const connectTimeoutMs = 4_000;
const queryTimeoutMs = 4_000;

/** What Drizzle's `bun-sql` driver asks of a client: a lazy query that yields objects, or arrays by `values()`. */
interface QueryClient {
  unsafe(text: string, parameters?: unknown[]): PromiseLike<unknown> & { values(): Promise<unknown> };
}
type Connection = Awaited<ReturnType<SQL["reserve"]>>;

/** Opens any PostgreSQL server through Bun's own client. */
export function openPostgres(url: string): Database {
  const pool = new SQL(connectionOptions(url, poolSize));
  const connect = async (): Promise<Connection> => {
    const expired = AbortSignal.timeout(connectTimeoutMs);
    return await pool.reserve({ signal: expired });
  };
  const readingDb = drizzle({ client: readingClient(connect) as unknown as SQL, schema });
  const sessions = openPostgresSessions(() => new SQL(connectionOptions(url, 1)));

  return {
    driver: "postgres",
    provider: "pg",
    schema,
    sessions,
    reads: () => readingDb,
    async begin(statementTimeoutMs = queryTimeoutMs) {
      const begun = transaction(await beginOn(connect), statementTimeoutMs);
      if (statementTimeoutMs > queryTimeoutMs)
        await begun.query(`SET LOCAL statement_timeout = ${statementTimeoutMs}`);
      return begun;
    },
    async ping() {
      const rows = (await readingClient(connect).unsafe(
        "SELECT extract(epoch from clock_timestamp())::float8 * 1000 AS now",
      )) as Row[];
      return Number(rows[0]?.["now"]);
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

/** Whether a query failed because its connection did: nothing was read, and a read may be asked again. */
function isConnectionLoss(error: unknown): boolean {
  const code = errorCode(error) ?? "";
  // 57P01-57P03: the server ends the connection; class 08: connection exceptions.
  return code.startsWith("ERR_POSTGRES_CONNECTION") || code.startsWith("57P0") || code.startsWith("08");
}

/** Begins on a connection that answers; a pooled one that died unnoticed is replaced once. */
async function beginOn(connect: () => Promise<Connection>): Promise<Connection> {
  for (let attempt = 0; ; attempt += 1) {
    let connection: Connection | undefined;
    try {
      connection = await connect();
      await boundQuery(connection, "BEGIN", [], false);
      return connection;
    } catch (cause) {
      void connection?.close().catch(() => {});
      if (attempt > 0 || !isConnectionLoss(cause)) throw storeUnavailable(cause);
    }
  }
}

/** One statement on one connection, bounded: a connection that is late is closed, never used again. */
async function boundQuery(
  connection: Connection,
  text: string,
  parameters: unknown[],
  values: boolean,
  timeoutMs = queryTimeoutMs,
): Promise<unknown> {
  const query = connection.unsafe(text, parameters);
  return await withDeadline<unknown>(Promise.resolve(values ? query.values() : query), timeoutMs, () => {
    void connection.close().catch(() => {});
    return new Error(`no answer from PostgreSQL within ${timeoutMs} ms`);
  });
}

function lazyQuery(run: (values: boolean) => Promise<unknown>): ReturnType<QueryClient["unsafe"]> {
  return {
    values: () => run(true),
    then: (fulfilled, rejected) => run(false).then(fulfilled, rejected),
  };
}

/** Reads, each on a connection of its own from the pool; a read whose connection was lost is asked once more. */
function readingClient(connect: () => Promise<Connection>): QueryClient {
  const once = async (text: string, parameters: unknown[], values: boolean) => {
    const connection = await connect();
    try {
      return await boundQuery(connection, text, parameters, values);
    } finally {
      void connection.release().catch(() => {});
    }
  };
  return {
    unsafe: (text, parameters = []) =>
      lazyQuery((values) =>
        once(text, parameters, values).catch((error: unknown) => {
          if (!isConnectionLoss(error)) throw error;
          return once(text, parameters, values);
        }),
      ),
  };
}

function transaction(connection: Connection, timeoutMs: number): Transaction {
  const client: QueryClient = {
    unsafe: (text, parameters = []) =>
      lazyQuery((values) => boundQuery(connection, text, parameters, values, timeoutMs)),
  };
  const db = drizzle({ client: client as unknown as SQL, schema });
  return {
    db,
    async query(text: string, parameters: readonly Parameter[] = []) {
      return (await client.unsafe(text, [...parameters])) as Row[];
    },
    async commit() {
      try {
        await client.unsafe("COMMIT");
      } catch (cause) {
        void connection.close().catch(() => {});
        throw storeUnavailable(cause);
      }
      await connection.release();
    },
    async rollback() {
      try {
        await client.unsafe("ROLLBACK");
        await connection.release();
      } catch {
        // The server rolls back what a closed connection leaves open.
        await connection.close().catch(() => {});
      }
    },
  };
}
