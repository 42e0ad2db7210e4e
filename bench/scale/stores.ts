import type { Bench } from "../bench.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { type RequestSet, writeRequests } from "../load/requests.ts";
import { pinRunning } from "../machine/cores.ts";
import { type Population, sessionRequests } from "../seed/sessions.ts";
import { openPostgresOn, openSqlite, type SeededDatabase } from "../targets/databases.ts";
import { addFigure } from "../report/results.ts";

/** A database with millions of sessions. */
export interface Store {
  readonly database: SeededDatabase;
  readonly population: Population;
  /** The first process of the server that keeps it; null where latchkey does by itself. */
  readonly server: TestPostgres | null;
  readonly close: () => Promise<void>;
}

/** Sessions asked for in turn: far more than any cache keeps, and spread over the whole table. */
const asked = 100_000;

function populationOf({ options }: Bench): Required<Population> {
  return options.quick
    ? { users: 10_000, sessions: 100_000, ended: 1_000 }
    : { users: 1_000_000, sessions: 10_000_000, ended: 30_000 };
}

/** @param count how many sessions are asked for; all of them live. */
export function spreadRequests(path: string, { sessions, ended = 0 }: Population, count = asked): RequestSet {
  const live = sessions - ended;
  const requests = Math.min(count, live);
  return writeRequests(sessionRequests(path, requests, Math.floor(live / requests)), 200);
}

export async function openSqliteStore(bench: Bench): Promise<Store> {
  const population = populationOf(bench);
  const database = await timed(bench, "sqlite", () => openSqlite(bench.executables, population));
  return { database, population, server: null, close: database.close };
}

/** A server with memory for all of it, which a machine for ten million sessions has. */
export async function openPostgresStore(bench: Bench): Promise<Store> {
  const population = populationOf(bench);
  const server = await startPostgres({
    shared_buffers: bench.options.quick ? "256MB" : "4GB",
    max_wal_size: "8GB",
    checkpoint_timeout: "1h",
    // What is seeded into tables that are emptied in the same transaction is not logged.
    wal_level: "minimal",
    max_wal_senders: "0",
  });
  try {
    await pinRunning(server.pid, bench.cores, "all");
    const database = await timed(bench, "postgres", () =>
      openPostgresOn(server, bench.executables, population),
    );
    // What seeding left in memory is written now, not while something is measured.
    await server.restart();
    await pinRunning(server.pid, bench.cores, "databases");
    return { database, population, server, close: server.stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function timed<T>({ results, tell }: Bench, driver: string, seed: () => Promise<T>): Promise<T> {
  tell(`scale, ${driver}, seeding`);
  const startedAt = performance.now();
  const seeded = await seed();
  const seconds = (performance.now() - startedAt) / 1000;
  addFigure(results, { id: `scale-seed-${driver}`, title: `${driver}, seconds to seed it` }, "", [seconds]);
  return seeded;
}
