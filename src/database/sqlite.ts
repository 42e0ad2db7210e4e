import { Database as SqliteDatabase } from "bun:sqlite";
import { drizzle } from "drizzle-orm/bun-sqlite";
import { openSqliteSessions } from "./sessions/sqlite-sessions.ts";
import type { Database, Transaction } from "./database.ts";
import { errorCode, storeUnavailable } from "./store-error.ts";
import * as schema from "./schema.sqlite.ts";

/** How long a write waits for the file's lock, another writer's or another process's, before 503. */
const lockTimeoutMs = 2_000;

/**
 * Opens the embedded SQLite file, which must exist: one connection writes, another only reads.
 * bun:sqlite waits for locks on the event loop's own thread, so `busy_timeout` stays 0 and waiting is done here.
 */
export function openSqlite(path: string): Database {
  const writer = new SqliteDatabase(path, { readwrite: true, create: false });
  writer.run("PRAGMA busy_timeout = 0");
  // FULL: a commit that was answered survives loss of power, not only of the process.
  for (const pragma of ["journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"]) {
    writer.run(`PRAGMA ${pragma}`);
  }
  const reader = new SqliteDatabase(path, { readonly: true });
  reader.run("PRAGMA busy_timeout = 0");
  const sessions = openSqliteSessions(path, reader);
  const readingDb = drizzle(reader, { schema });
  const writingDb = drizzle(writer, { schema });
  const acquire = createLock();

  return {
    driver: "sqlite",
    provider: "sqlite",
    schema,
    sessions,
    reads: () => readingDb,
    async begin(): Promise<Transaction> {
      const deadline = performance.now() + lockTimeoutMs;
      const release = await acquire(lockTimeoutMs);
      try {
        await retryWhileBusy(() => writer.run("BEGIN IMMEDIATE"), deadline);
      } catch (cause) {
        release();
        throw storeUnavailable(cause);
      }
      return transaction(writer, writingDb, release);
    },
    async ping() {
      return (
        reader.query<{ now: number }, []>("SELECT (julianday('now') - 2440587.5) * 86400000 AS now").get()
          ?.now ?? Number.NaN
      );
    },
    async close() {
      // The sessions' guard, which closes last, must outlive every connection.
      writer.close();
      await sessions.close();
    },
  };
}

function transaction(writer: SqliteDatabase, db: object, release: () => void): Transaction {
  const end = () => {
    if (writer.inTransaction) writer.run("ROLLBACK");
    release();
  };
  return {
    db,
    async query(text, parameters = []) {
      return writer
        .query<Record<string, unknown>, (string | number | boolean | null)[]>(text)
        .all(...parameters);
    },
    async commit() {
      try {
        // A reader that checkpoints can make COMMIT itself report busy; the transaction is then still open.
        await retryWhileBusy(() => writer.run("COMMIT"), performance.now() + lockTimeoutMs);
      } catch (cause) {
        throw storeUnavailable(cause);
      } finally {
        end();
      }
    },
    async rollback() {
      end();
    },
  };
}

/** A first-come, first-served lock; `acquire` resolves to its release, or rejects with 503 after `timeoutMs`. */
function createLock(): (timeoutMs: number) => Promise<() => void> {
  let held = false;
  const waiting: { grant: () => void; timer: ReturnType<typeof setTimeout> }[] = [];
  const release = () => {
    const next = waiting.shift();
    if (next === undefined) {
      held = false;
      return;
    }
    clearTimeout(next.timer);
    next.grant();
  };
  return async (timeoutMs) => {
    if (!held) {
      held = true;
      return release;
    }
    const turn = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      waiting.splice(waiting.indexOf(entry), 1);
      turn.reject(storeUnavailable(new Error(`waited ${timeoutMs} ms for the writer`)));
    }, timeoutMs);
    const entry = { grant: turn.resolve, timer };
    waiting.push(entry);
    await turn.promise;
    return release;
  };
}

/** Runs a statement, again after a jittered pause of 1 to 20 ms while another process holds the file. */
async function retryWhileBusy(run: () => void, deadline: number): Promise<void> {
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 20)) {
    try {
      run();
      return;
    } catch (error) {
      if (!errorCode(error)?.startsWith("SQLITE_BUSY") || performance.now() >= deadline) throw error;
      await Bun.sleep(pauseMs * (0.5 + Math.random() / 2));
    }
  }
}
