import { Database as SqliteDatabase } from "bun:sqlite";
import { closeSync, existsSync, openSync, readSync, rmSync, statSync } from "node:fs";
import { createDurably } from "../durable-file.ts";
import { CommandError } from "../errors.ts";
import { adoptTables } from "./adopt/adopt.ts";
import { tableNames } from "./adopt/shape.ts";
import { applyMigrations, journal } from "./apply-migrations.ts";
import { requireOwnLog } from "./open-file.ts";
import { retryWhileBusy } from "./retry-while-busy.ts";
import { connectionOf, sqliteMagic } from "./sqlite-connection.ts";

/** Longer than taking over a million sessions, which was seen to take 17 s. */
const lockTimeoutMs = 60_000;

/**
 * Makes sure that a migrated SQLite file stands at `path`: a start killed anywhere leaves either no database or a complete
 * one, and of several first starts at once one makes it and the others use it.
 * @returns the tags applied now.
 */
export async function migrateSqliteFile(path: string): Promise<readonly string[]> {
  requireOwnLog(path);
  if (existsSync(path)) {
    requireSqliteFile(path);
    return await migrateFile(path);
  }
  let applied: readonly string[] = [];
  const isOurs = await createDurably(path, async (temporary) => {
    applied = await migrateFile(temporary);
  });
  return isOurs ? applied : await migrateFile(path);
}

/** @throws CommandError where a file does not begin as a database does. */
export function requireSqliteFile(
  path: string,
  remedy = `restore ${path} from a backup, or move it away to start with an empty database`,
): void {
  if (!statSync(path).isFile()) throw new CommandError(`${path} is not a file`, remedy);
  const start = Buffer.alloc(sqliteMagic.length);
  const descriptor = openSync(path, "r");
  const read = readSync(descriptor, start);
  closeSync(descriptor);
  // SQLite takes a zero-byte file for a new database; here it is what a full disk or a bad copy leaves behind.
  if (read === 0) throw new CommandError(`${path} is empty`, remedy);
  if (start.toString("latin1") !== sqliteMagic)
    throw new CommandError(`${path} is not a SQLite database`, remedy);
}

async function migrateFile(path: string): Promise<readonly string[]> {
  const db = new SqliteDatabase(path, { readwrite: true, create: true });
  const retry = (run: () => void) => retryWhileBusy(run, performance.now() + lockTimeoutMs);
  try {
    db.run("PRAGMA busy_timeout = 0");
    // It reads the file, which another start may hold alone while it commits.
    await retry(() => db.run("PRAGMA synchronous = FULL"));
    // Adoption may rebuild a table, and dropping the old one would delete what refers to it.
    db.run("PRAGMA foreign_keys = OFF");
    const snapshot = await keepSnapshot(db, path, retry);
    let applied: readonly string[];
    try {
      await retry(() => db.run("BEGIN IMMEDIATE"));
      applied = await applyMigrations(connectionOf(db), adoptTables);
      await retry(() => db.run("COMMIT"));
    } catch (error) {
      // Nothing was changed.
      if (snapshot !== undefined) rmSync(snapshot, { force: true });
      throw error;
    }
    // Afterwards, since a database that is refused stays as it is.
    await retry(() => db.run("PRAGMA journal_mode = WAL"));
    return applied;
  } finally {
    if (db.inTransaction) db.run("ROLLBACK");
    db.close();
  }
}

/** A copy of three starts at once is one; one of another time is another's. */
const snapshotSharedMs = 60_000;

function snapshotPath(path: string): string {
  for (let number = 1; ; number += 1) {
    const snapshot = `${path}.before-adoption${number === 1 ? "" : `-${number}`}`;
    const found = statSync(snapshot, { throwIfNoEntry: false });
    if (found === undefined || Date.now() - found.mtimeMs < snapshotSharedMs) return snapshot;
  }
}

/**
 * Copies the database of another service before its tables are taken over.
 * @returns where to; undefined when there is nothing to take over, or a copy that another start has made.
 */
async function keepSnapshot(
  db: SqliteDatabase,
  path: string,
  retry: (run: () => void) => Promise<void>,
): Promise<string | undefined> {
  let isForeign = false;
  await retry(() => {
    const names = db
      .query<{ name: string }, []>(
        "SELECT lower(name) AS name FROM sqlite_master WHERE type IN ('table', 'view')",
      )
      .all()
      .map(({ name }) => name);
    isForeign = !names.includes(journal) && tableNames.some((name) => names.includes(name));
  });
  const snapshot = snapshotPath(path);
  if (!isForeign || existsSync(snapshot)) return undefined;
  const isOurs = await createDurably(snapshot, (temporary) =>
    retry(() => db.run("VACUUM INTO ?", [temporary])),
  );
  return isOurs ? snapshot : undefined;
}
