import { Database as SqliteDatabase } from "bun:sqlite";
import { openChangeGuard } from "./sessions/change-guard.ts";
import { openSqliteSessions, sessionLookup } from "./sessions/sqlite-sessions.ts";
import { journalText, missingMigrations } from "./apply-migrations.ts";
import type { Database, Parameter, Row, Transaction } from "./database.ts";
import { type OpenFile, watchOpenFile } from "./open-file.ts";
import { retryWhileBusy } from "./retry-while-busy.ts";
import { storeFailure, storeUnavailable } from "./store-error.ts";
import type * as sqliteOrm from "./sqlite-orm.ts";

/** How long a write waits for the file's lock, another writer's or another process's, before 503. */
const lockTimeoutMs = 2_000;

/**
 * Opens the embedded SQLite file, which must exist: one connection writes, another only reads.
 * bun:sqlite waits for locks on the event loop's own thread, so that `busy_timeout` is 0 once it is open, and waiting is done here.
 * @param isGuest where a server has it open, its log and its second name are left to it.
 */
export function openSqlite(path: string, onFileLost: (error: Error) => void, isGuest = false): Database {
  const writer = new SqliteDatabase(path, { readwrite: true, create: false });
  // Another process that closes the file holds it alone for a moment. Nothing is served yet, so waiting here is no harm.
  writer.run(`PRAGMA busy_timeout = ${lockTimeoutMs}`);
  // FULL: a commit that was answered survives loss of power, not only of the process.
  for (const pragma of ["journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"]) {
    writer.run(`PRAGMA ${pragma}`);
  }
  const reader = new SqliteDatabase(path, { readonly: true });
  reader.run(`PRAGMA busy_timeout = ${lockTimeoutMs}`);
  const guard = openChangeGuard(path, reader);
  const lookUps = openSqliteSessions(guard, reader);
  const file = watchOpenFile(
    path,
    (error) => {
      // What was committed goes from the log, which may have lost its name too, into the file; no other gets it.
      saveLog(writer);
      onFileLost(error);
    },
    isGuest,
  );
  for (const connection of [writer, reader]) connection.run("PRAGMA busy_timeout = 0");
  const readingDb = lazyOrm(reader);
  const writingDb = lazyOrm(writer);
  const acquire = createLock();

  const begin = async (): Promise<Transaction> => {
    requireOwn(file);
    const deadline = performance.now() + lockTimeoutMs;
    const release = await acquire(lockTimeoutMs);
    try {
      await retryWhileBusy(() => {
        // Left open by a ROLLBACK that failed.
        if (writer.inTransaction) writer.run("ROLLBACK");
        writer.run("BEGIN IMMEDIATE");
      }, deadline);
    } catch (cause) {
      release();
      throw storeUnavailable(cause);
    }
    return transaction(writer, writingDb, file, release);
  };

  return {
    driver: "sqlite",
    provider: "sqlite",
    get schema() {
      return loadOrm().schema;
    },
    sessions: {
      find(token) {
        if (file.isLost()) requireOwn(file);
        return lookUps.find(token);
      },
      close: () => lookUps.close(),
    },
    reads: readingDb,
    requireOpen() {
      if (file.isLost()) requireOwn(file);
    },
    begin,
    async change(text, parameters) {
      const alone = await begin();
      try {
        const rows = await alone.query(text, parameters);
        await alone.commit();
        return rows;
      } catch (cause) {
        await alone.rollback();
        throw storeFailure(cause);
      }
    },
    async read(text, parameters) {
      requireOwn(file);
      let rows: Row[] = [];
      try {
        await retryWhileBusy(() => {
          rows = reader.query<Row, Parameter[]>(text).all(...parameters);
        }, performance.now() + lockTimeoutMs);
      } catch (cause) {
        throw storeFailure(cause);
      }
      return rows;
    },
    async probe() {
      file.requireWhole();
      // On a connection of its own: what the others have read before may not be there any more.
      const fresh = new SqliteDatabase(path, { readonly: true });
      let journal: Row[] = [];
      try {
        // Another process that closes the file holds it alone for a moment.
        await retryWhileBusy(
          () => {
            fresh.query(sessionLookup).get("");
            journal = fresh.query<Row, []>(journalText).all();
          },
          performance.now() + lockTimeoutMs / 2,
        );
      } finally {
        fresh.close();
      }
      return missingMigrations("sqlite", journal);
    },
    async close() {
      if (!file.isLost() && !file.isOthers) saveLog(writer);
      await lookUps.close();
      // The last one takes the log away, if it may write. `true` ends what Drizzle prepared: it would keep them open until it is collected.
      for (const connection of [reader, writer]) connection.close(true);
      guard.close();
      file.close();
    },
  };
}

/** Required where it is used: verify and health ask without it. */
function loadOrm(): typeof sqliteOrm {
  return require("./sqlite-orm.ts") as typeof sqliteOrm;
}

function lazyOrm(connection: SqliteDatabase): () => object {
  let db: object | undefined;
  return () => (db ??= loadOrm().wrapSqlite(connection));
}

/** @throws AppError 503. */
function requireOwn(file: OpenFile): void {
  try {
    file.requireOwn();
  } catch (cause) {
    throw storeUnavailable(cause);
  }
}

/** Brings what is in the log into the file; a transaction that is open puts it off to its end. */
function saveLog(writer: SqliteDatabase): void {
  try {
    writer.run("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // Busy, or damaged: there is nothing else to be done with it.
  }
}

function transaction(
  writer: SqliteDatabase,
  db: () => object,
  file: OpenFile,
  release: () => void,
): Transaction {
  let isOpen = true;
  // Once: whoever has the lock by then must not lose it, nor a transaction that is theirs.
  const end = () => {
    if (!isOpen) return;
    isOpen = false;
    try {
      if (writer.inTransaction) writer.run("ROLLBACK");
      if (file.isLost()) saveLog(writer);
    } catch {
      // `begin` tries again before anything else is written.
    } finally {
      release();
    }
  };
  return {
    get db() {
      return db();
    },
    async query(text, parameters = []) {
      return writer
        .query<Record<string, unknown>, (string | number | boolean | null)[]>(text)
        .all(...parameters);
    },
    async commit() {
      if (!isOpen) return;
      try {
        file.requireOwn();
        // A reader that checkpoints can make COMMIT itself report busy; the transaction is then still open.
        await retryWhileBusy(() => writer.run("COMMIT"), performance.now() + lockTimeoutMs);
      } catch (cause) {
        throw storeFailure(cause);
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
