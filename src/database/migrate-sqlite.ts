import { Database as SqliteDatabase } from "bun:sqlite";
import { closeSync, existsSync, fsyncSync, linkSync, openSync, readSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { CommandError } from "../errors.ts";
import { adoptTables } from "./adopt/adopt.ts";
import { errorCode } from "./store-error.ts";
import {
  applyMigrations,
  type MigrationConnection,
  type SchemaStatus,
  schemaStatus,
} from "./apply-migrations.ts";

/** Longer than taking over a million sessions, which was seen to take 17 s. */
const lockTimeoutMs = 60_000;
const header = "SQLite format 3\0";

/**
 * Makes sure that a migrated SQLite file stands at `path`. A new one is made whole under another name and linked into
 * place, so that a start killed anywhere leaves either no database or a complete one, and of several first starts at
 * once one wins and the others use its file.
 * @returns the tags applied now.
 */
export async function migrateSqliteFile(path: string): Promise<readonly string[]> {
  if (existsSync(path)) {
    requireSqliteFile(path);
    return await migrateFile(path);
  }
  const temporary = `${path}.${process.pid}-${crypto.randomUUID()}.tmp`;
  try {
    const applied = await migrateFile(temporary);
    syncToDisk(temporary);
    return linkInPlace(temporary, path) ? applied : await migrateFile(path);
  } finally {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(temporary + suffix, { force: true });
  }
}

/** Reads an existing file's schema status without changing it. */
export async function sqliteSchemaStatus(path: string): Promise<SchemaStatus> {
  requireSqliteFile(path);
  const db = new SqliteDatabase(path, { readonly: true });
  try {
    return await schemaStatus(connectionOf(db));
  } finally {
    db.close();
  }
}

/** Links `temporary` to `path` unless something is there, and makes the name survive a crash. @returns whether it did. */
export function linkInPlace(temporary: string, path: string): boolean {
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
  syncToDisk(dirname(path));
  return true;
}

/** Flushes a file's, or a directory's, content to the disk. */
export function syncToDisk(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function requireSqliteFile(path: string): void {
  const remedy = `restore ${path} from a backup, or move it away to start with an empty database`;
  if (!statSync(path).isFile()) throw new CommandError(`${path} is not a file`, remedy);
  const start = Buffer.alloc(header.length);
  const descriptor = openSync(path, "r");
  const read = readSync(descriptor, start);
  closeSync(descriptor);
  // SQLite takes a zero-byte file for a new database; here it is what a full disk or a bad copy leaves behind.
  if (read === 0) throw new CommandError(`${path} is empty`, remedy);
  if (start.toString("latin1") !== header) throw new CommandError(`${path} is not a SQLite database`, remedy);
}

async function migrateFile(path: string): Promise<readonly string[]> {
  const db = new SqliteDatabase(path, { readwrite: true, create: true });
  try {
    db.run("PRAGMA busy_timeout = 0");
    // It reads the file, which another start may hold alone while it commits.
    await whenFree(() => db.run("PRAGMA synchronous = FULL"));
    // Adoption may rebuild a table, and dropping the old one would delete what refers to it.
    db.run("PRAGMA foreign_keys = OFF");
    await whenFree(() => db.run("BEGIN IMMEDIATE"));
    const applied = await applyMigrations(connectionOf(db), adoptTables);
    await whenFree(() => db.run("COMMIT"));
    // Afterwards, since a database that is refused stays as it is.
    await whenFree(() => db.run("PRAGMA journal_mode = WAL"));
    return applied;
  } finally {
    if (db.inTransaction) db.run("ROLLBACK");
    db.close();
  }
}

function connectionOf(db: SqliteDatabase): MigrationConnection {
  return {
    provider: "sqlite",
    async query(text, parameters = []) {
      return db.query<Record<string, unknown>, (string | number | boolean | null)[]>(text).all(...parameters);
    },
  };
}

async function whenFree(run: () => void): Promise<void> {
  const deadline = performance.now() + lockTimeoutMs;
  for (;;) {
    try {
      run();
      return;
    } catch (error) {
      if (!errorCode(error)?.startsWith("SQLITE_BUSY") || performance.now() > deadline) throw error;
      await Bun.sleep(5 + Math.random() * 20);
    }
  }
}
