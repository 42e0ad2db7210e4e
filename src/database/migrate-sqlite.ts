import { Database as SqliteDatabase } from "bun:sqlite";
import { existsSync, rmSync, statSync } from "node:fs";
import { createDurably } from "../durable-file.ts";
import { adoptTables } from "./adopt/adopt.ts";
import { tableNames } from "./adopt/shape.ts";
import { applyMigrations, journal, schemaStatus } from "./apply-migrations.ts";
import { dropSnapshots, keepBeforeMigration, settleFailure } from "./migration-snapshot.ts";
import { requireOwnLog } from "./open-file.ts";
import { retryWhileBusy } from "./retry-while-busy.ts";
import { connectionOf } from "./sqlite-connection.ts";
import { requireSqliteFile } from "./sqlite-file.ts";

/** Longer than taking over a million sessions, which was seen to take 17 s. */
const lockTimeoutMs = 60_000;

/**
 * Makes sure that a migrated SQLite file stands at `path`: a start killed anywhere leaves either no database or a complete
 * one, and of several first starts at once one makes it and the others use it.
 * @param onSnapshot hears of the copy that is kept of what the file was before. @returns the tags applied now.
 */
export async function migrateSqliteFile(
  path: string,
  onSnapshot: (snapshot: string) => void = () => {},
): Promise<readonly string[]> {
  requireOwnLog(path);
  if (existsSync(path)) {
    requireSqliteFile(path);
    return await migrateFile(path, onSnapshot);
  }
  let applied: readonly string[] = [];
  const isOurs = await createDurably(path, async (temporary) => {
    applied = await migrateFile(temporary);
  });
  return isOurs ? applied : await migrateFile(path);
}

async function migrateFile(
  path: string,
  onSnapshot: (snapshot: string) => void = () => {},
): Promise<readonly string[]> {
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
    let before: string | undefined;
    try {
      await retry(() => db.run("BEGIN IMMEDIATE"));
      // Nobody else writes from here on: a copy made any sooner would lack what was written since.
      before = await keepBeforeMigration(path, await schemaStatus(connectionOf(db)), () => hasPeople(db));
      applied = await applyMigrations(connectionOf(db), adoptTables);
      await retry(() => db.run("COMMIT"));
    } catch (error) {
      // Nothing was changed.
      if (snapshot !== undefined) rmSync(snapshot, { force: true });
      if (before === undefined) throw error;
      if (db.inTransaction) db.run("ROLLBACK");
      throw await settleFailure(path, before, error);
    }
    if (before !== undefined) {
      dropSnapshots(path, before);
      onSnapshot(before);
    }
    // Afterwards, since a database that is refused stays as it is.
    await retry(() => db.run("PRAGMA journal_mode = WAL"));
    return applied;
  } finally {
    if (db.inTransaction) db.run("ROLLBACK");
    db.close();
  }
}

function hasPeople(db: SqliteDatabase): boolean {
  return db.query('SELECT 1 FROM "user" LIMIT 1').get() !== null;
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
