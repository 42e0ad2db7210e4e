import { rmSync } from "node:fs";
import { SQL } from "bun";
import { type Cluster, createCluster } from "./postgres-cluster.ts";
import { type PostgresSettings, type Postmaster, type ShutdownMode, startPostmaster } from "./postmaster.ts";
import { once } from "./reaper.ts";

/** A PostgreSQL 18 server of its own, on 127.0.0.1. */
export interface TestPostgres {
  /** Process id of the postmaster; another one after `restart`. */
  readonly pid: number;
  readonly port: number;
  /** `postgres://latchkey:…@127.0.0.1:port/database`; the role owns its databases and is no superuser. */
  url(database: string): string;
  /** @returns the URL of a new, empty database with a name of its own. */
  createDatabase(): Promise<string>;
  /** Removes a database, whoever is connected to it. */
  dropDatabase(database: string): Promise<void>;
  /** Ends every other connection to `database`, as a failover or an operator would. */
  terminateBackends(database: string): Promise<void>;
  /** Stops the server and starts it again on the same port with the same content; `fast` by default. */
  restart(mode?: ShutdownMode): Promise<void>;
  /** Stops the server until `resume`: connections are refused meanwhile. */
  halt(mode?: ShutdownMode): Promise<void>;
  resume(): Promise<void>;
  /** Stops the server for good and removes its files. */
  stop(): Promise<void>;
}

const terminateTimeoutMs = 10_000;

/** One server for the whole test process, ended with it. Tests that restart a server start their own. */
export const sharedPostgres: () => Promise<TestPostgres> = once(() => startPostgres());

/** Starts a PostgreSQL 18 server in a fresh directory; it goes away with this process at the latest. */
export async function startPostgres(settings: PostgresSettings = {}): Promise<TestPostgres> {
  if (process.env["LATCHKEY_TEST_DIALECTS"] === "sqlite")
    throw new Error("bun run test:fast starts no server: name this file among the slow ones in test/run.ts");
  const cluster = await createCluster();
  let postmaster = await startOnFreePort(cluster, settings);
  const { port } = postmaster;
  const address = `127.0.0.1:${port}`;
  const asAdmin = (database: string, run: (sql: SQL) => Promise<unknown>) =>
    withConnection(`postgres://postgres:${cluster.password}@${address}/${database}`, run);
  const url = (database: string) => `postgres://latchkey:${cluster.password}@${address}/${database}`;

  await asAdmin("postgres", (sql) =>
    sql.unsafe(`CREATE ROLE latchkey LOGIN NOSUPERUSER PASSWORD '${cluster.password}'`),
  );
  const halt = (mode: ShutdownMode = "fast") => postmaster.stop(mode);
  const resume = async () => {
    postmaster = await startPostmaster(cluster, port, settings);
  };
  return {
    get pid() {
      return postmaster.pid;
    },
    port,
    url,
    async createDatabase() {
      const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
      await asAdmin("postgres", (sql) =>
        sql.unsafe(`CREATE DATABASE ${name} OWNER latchkey TEMPLATE template0`),
      );
      return url(name);
    },
    dropDatabase: (database) =>
      asAdmin("postgres", (sql) => sql`DROP DATABASE IF EXISTS ${sql(database)} WITH (FORCE)`),
    terminateBackends: (database) => asAdmin("postgres", (sql) => terminateBackends(sql, database)),
    async restart(mode) {
      await halt(mode);
      await resume();
    },
    halt,
    resume,
    async stop() {
      await halt("immediate");
      rmSync(cluster.directory, { recursive: true, force: true });
    },
  };
}

export async function startOnFreePort(cluster: Cluster, settings?: PostgresSettings): Promise<Postmaster> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startPostmaster(cluster, freePort(), settings);
    } catch (error) {
      // Somebody else may have taken the port since it was found free.
      if (attempt === 5 || !String(error).includes("could not bind")) throw error;
    }
  }
}

/**
 * A free port below the ephemeral range: while the server restarts, a client that keeps connecting could otherwise be
 * given that very port as its own and connect to itself.
 */
export function freePort(): number {
  for (let attempt = 1; ; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    try {
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
      return port;
    } catch (error) {
      if (attempt === 100) throw error;
    }
  }
}

/** Resolves once they are gone; pg_terminate_backend's own wait looks only once a second. */
async function terminateBackends(sql: SQL, database: string): Promise<void> {
  const terminated: { pid: number }[] =
    await sql`SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${database}`;
  for (const { pid } of terminated) {
    const deadline = Date.now() + terminateTimeoutMs;
    while ((await sql`SELECT 1 FROM pg_stat_activity WHERE pid = ${pid}`).length > 0) {
      if (Date.now() > deadline)
        throw new Error(`backend ${pid} did not end within ${terminateTimeoutMs} ms`);
      await Bun.sleep(2);
    }
  }
}

async function withConnection(url: string, run: (sql: SQL) => Promise<unknown>): Promise<void> {
  const sql = new SQL(url, { max: 1 });
  try {
    await run(sql);
  } finally {
    await sql.close();
  }
}
