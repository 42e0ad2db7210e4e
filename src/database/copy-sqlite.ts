import { rmSync, statSync } from "node:fs";
import { CommandError } from "../errors.ts";
import { tableNames } from "./adopt/shape.ts";
import { journal, schemaStatus } from "./apply-migrations.ts";
import { readSqlite } from "./inspect-sqlite.ts";
import { connectionOf } from "./sqlite-connection.ts";
import { openSqliteSessions } from "./sessions/sqlite-sessions.ts";
import type { SessionRow, SessionStore } from "./sessions/store.ts";
import { requireSqliteFile } from "./sqlite-file.ts";
import { errorCode } from "./store-error.ts";

/** What is in a database of latchkey's: rows of the four tables and of locked users, and its size. */
export interface SqliteContent {
  readonly users: number;
  readonly accounts: number;
  readonly sessions: number;
  readonly verifications: number;
  readonly locks: number;
  readonly bytes: number;
  /** Tags of migrations that the next start applies. */
  readonly pending: readonly string[];
  /** Tags of migrations that a newer latchkey applied. */
  readonly unknown: readonly string[];
}

/** Reads every page of a database and counts its rows. @throws CommandError where it is not a whole one of latchkey's. */
export async function checkSqlite(path: string, remedy: string): Promise<SqliteContent> {
  requireSqliteFile(path, remedy);
  try {
    return await readSqlite(path, async (db) => {
      const [damage] = db
        .query<{ integrity_check: string }, []>("PRAGMA integrity_check(1)")
        .all()
        .map((row) => row.integrity_check)
        .filter((line) => line !== "ok");
      if (damage !== undefined) throw new CommandError(`${path} is damaged: ${damage}`, remedy);
      const tables = db
        .query<{ name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'table'")
        .all()
        .map(({ name }) => name);
      const missing = [...tableNames, journal].find((name) => !tables.includes(name));
      if (missing !== undefined)
        throw new CommandError(`${path} is no database of latchkey's: it has no table ${missing}`, remedy);
      const { pending, unknown } = await schemaStatus(connectionOf(db));
      const count = (table: string) =>
        db.query<{ rows: number }, []>(`SELECT count(*) AS rows FROM "${table}"`).get()?.rows ?? 0;
      return {
        users: count("user"),
        accounts: count("account"),
        sessions: count("session"),
        verifications: count("verification"),
        // It came later than the four.
        locks: tables.includes("latchkey_lock") ? count("latchkey_lock") : 0,
        bytes: statSync(path).size,
        pending,
        unknown,
      };
    });
  } catch (error) {
    if (!/^SQLITE_(?:CORRUPT|NOTADB|IOERR_SHORT_READ)/.test(errorCode(error) ?? "")) throw error;
    throw new CommandError(`${path} is damaged: ${(error as Error).message}`, remedy, { cause: error });
  }
}

/** By which a session lives, or does not. */
export type SessionLifetime = Pick<SessionRow, "createdAt" | "expiresAt">;

/** What a copy of the newest schema is tried by. */
export interface SqliteTrial {
  /** As a server looks them up. */
  readonly sessions: SessionStore;
  /** A session that lives; null where none does. */
  readonly token: string | null;
  /** How many rows refer to a row that is not there, which SQLite itself lets be. */
  readonly orphans: number;
}

/** Runs `work` on a copy that nobody has open. @param lives whether a session does. */
export async function tryCopy<T>(
  path: string,
  lives: (session: SessionLifetime) => boolean,
  work: (trial: SqliteTrial) => Promise<T>,
): Promise<T> {
  return await readSqlite(path, async (db) => {
    // Nobody writes to it: a guard that always asks costs nothing.
    const sessions = openSqliteSessions({ changed: () => true, close() {} }, db);
    using rows = db.prepare<SessionLifetime & { readonly token: string }, []>(
      "SELECT s.token, s.expires_at AS expiresAt, s.created_at AS createdAt FROM session s " +
        "JOIN user u ON u.id = s.user_id WHERE typeof(s.token) = 'text' ORDER BY s.expires_at DESC",
    );
    using broken = db.prepare<{ rows: number }, []>(
      `SELECT ${["session", "account", "latchkey_lock"].map((table) => `(SELECT count(*) FROM pragma_foreign_key_check('${table}'))`).join(" + ")} AS rows`,
    );
    try {
      let token: string | null = null;
      for (const row of rows.iterate()) {
        if (!lives(row)) continue;
        token = row.token;
        break;
      }
      return await work({ sessions, token, orphans: broken.get()?.rows ?? 0 });
    } finally {
      await sessions.close();
    }
  });
}

/**
 * Copies a database as it is at one moment, its log included, beside whoever writes to it.
 * @param target not there yet; it is not on the disk before somebody flushes it. @throws CommandError where the disk is full.
 */
export async function copySqlite(source: string, target: string): Promise<void> {
  try {
    await readSqlite(source, (db) => {
      // Of a try before, which somebody who opened the file cut short.
      rmSync(target, { force: true });
      db.run("VACUUM INTO ?", [target]);
    });
  } catch (error) {
    if (errorCode(error) !== "SQLITE_FULL") throw error;
    const { size } = statSync(source);
    throw new CommandError("the disk is full; nothing was written", `free ${size} bytes, and try again`, {
      cause: error,
    });
  }
}
