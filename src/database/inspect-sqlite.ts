import { constants, Database as SqliteDatabase } from "bun:sqlite";
import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { type SchemaStatus, schemaStatus } from "./apply-migrations.ts";
import { inspectRows, type RowInspection } from "./inspect-rows.ts";
import { requireOwnLog } from "./open-file.ts";
import { migrations } from "./migrations.ts";
import { isBusy } from "./retry-while-busy.ts";
import { connectionOf } from "./sqlite-connection.ts";

/** A SQLite file as it stands, read without leaving anything behind. */
export interface SqliteInspection {
  /** The library's, e.g. `3.51.0`. */
  readonly version: string;
  /** `wal` once a server has had it. */
  readonly journalMode: "wal" | "rollback";
  /** What `PRAGMA quick_check` complains of, at most 5 lines; empty when the file is sound. */
  readonly damage: readonly string[];
  /** The clock that SQLite reads, in ms since the epoch. */
  readonly now: number;
}

type SqliteRow = Record<string, string | number>;

/** Reads a file's state and checks its pages, which takes seconds on a large one. @throws when it is no database. */
export async function inspectSqlite(path: string): Promise<SqliteInspection> {
  return await readSqlite(path, (db) => {
    const one = (text: string) => Object.values(db.query<SqliteRow, []>(text).get() ?? {})[0];
    const damage = db
      .query<{ quick_check: string }, []>("PRAGMA quick_check(5)")
      .all()
      .map((row) => row.quick_check);
    return {
      version: String(one("SELECT sqlite_version()")),
      journalMode: journalModeOf(path),
      damage: damage.filter((line) => line !== "ok"),
      now: Number(one("SELECT (julianday('now') - 2440587.5) * 86400000")),
    };
  });
}

/** Reads which migrations a file has; every one is pending where there is none. */
export async function inspectSqliteSchema(path: string): Promise<SchemaStatus> {
  if (!existsSync(path)) {
    return { applied: [], pending: migrations.sqlite.map(({ tag }) => tag), unknown: [] };
  }
  return await readSqlite(path, (db) => schemaStatus(connectionOf(db)));
}

/** Reads what rows and keys of a file look like. */
export async function inspectSqliteRows(path: string): Promise<RowInspection> {
  return await readSqlite(path, (db) => inspectRows(connectionOf(db)));
}

/** The pragma does not know it of a file read as immutable. The header does: https://sqlite.org/fileformat.html §1.3.3. */
function journalModeOf(path: string): SqliteInspection["journalMode"] {
  const version = Buffer.alloc(1);
  const descriptor = openSync(path, "r");
  try {
    readSync(descriptor, version, 0, 1, 18);
  } finally {
    closeSync(descriptor);
  }
  return version[0] === 2 ? "wal" : "rollback";
}

/** How long it waits for a process that opens or closes the file, and holds it alone for a moment meanwhile. */
const lockTimeoutMs = 2_000;

/**
 * Reads a file beside whoever has it open, and leaves nothing behind; again where somebody opened it meanwhile.
 * @throws what `read` throws, and SQLITE_BUSY where somebody holds the file alone.
 */
export async function readSqlite<T>(path: string, read: (db: SqliteDatabase) => T | Promise<T>): Promise<T> {
  // SQLite takes an empty file for a new database; here it is what a full disk or a bad copy leaves.
  if (statSync(path).size === 0) throw new Error(`${path} is empty`);
  requireOwnLog(path);
  const deadline = performance.now() + lockTimeoutMs;
  for (;;) {
    const wasAtRest = isAtRest(path);
    let failure: unknown;
    try {
      const result = await readOnce(path, wasAtRest, read);
      // What is read as immutable may have been half written meanwhile.
      if (!wasAtRest || isAtRest(path)) return result;
      failure = new Error(`${path} is opened and closed all the while`);
    } catch (error) {
      // Its last user took the log away as we were about to read it, or the next one wrote where we read.
      if (!isBusy(error) && wasAtRest === isAtRest(path)) throw error;
      failure = error;
    }
    if (performance.now() >= deadline) throw failure;
    await Bun.sleep(20);
  }
}

/** A reader makes the -wal and -shm files of a database that nobody has open, and leaves them behind as its own user's. */
function isAtRest(path: string): boolean {
  return ["-wal", "-journal"].every((suffix) => !existsSync(path + suffix));
}

async function readOnce<T>(
  path: string,
  isImmutable: boolean,
  read: (db: SqliteDatabase) => T | Promise<T>,
): Promise<T> {
  const url = `${pathToFileURL(path).href}?${isImmutable ? "immutable=1" : "mode=ro"}`;
  const db = new SqliteDatabase(url, constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI);
  try {
    return await read(db);
  } finally {
    db.close();
  }
}
