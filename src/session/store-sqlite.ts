import type { Database } from "bun:sqlite";
import { storeUnavailable } from "../database/failure.ts";
import { type SessionRow, type SessionStore, sessionColumns } from "./store.ts";

type Columns = [
  string,
  string,
  string,
  number,
  number,
  number,
  string | null,
  string | null,
  string,
  string,
  number,
  string | null,
  number,
  number,
];

/** Rows kept at the most; about 1 KB each. */
const cacheSize = 20_000;

/**
 * Looks sessions up in SQLite through a cache that `PRAGMA data_version` guards: the number changes whenever another
 * connection, of this process or any other, commits. The pragma is read before the row, and `reader` must never
 * hold a read transaction, or a cached row could outlive its deletion.
 */
export function openSqliteSessions(reader: Database): SessionStore {
  const version = reader.query<{ data_version: number }, []>("PRAGMA data_version");
  const lookup = reader.query<unknown, [string]>(
    `SELECT ${sessionColumns} FROM session s JOIN user u ON u.id = s.user_id WHERE s.token = ?`,
  );
  const rows = new Map<string, SessionRow>();
  let seen = -1;
  return {
    find(token) {
      try {
        const current = version.get()?.data_version ?? -1;
        if (current !== seen) {
          rows.clear();
          seen = current;
        }
        const cached = rows.get(token);
        if (cached !== undefined) return cached;
        const columns = lookup.values(token)[0] as Columns | undefined;
        if (columns === undefined) return null;
        const row = sessionRow(columns);
        if (rows.size >= cacheSize) rows.delete(rows.keys().next().value ?? "");
        rows.set(token, row);
        return row;
      } catch (cause) {
        throw storeUnavailable(cause);
      }
    },
    async close() {
      rows.clear();
      version.finalize();
      lookup.finalize();
    },
  };
}

function sessionRow(c: Columns): SessionRow {
  return {
    id: c[0],
    token: c[1],
    userId: c[2],
    expiresAt: c[3],
    createdAt: c[4],
    updatedAt: c[5],
    ipAddress: c[6],
    userAgent: c[7],
    user: {
      id: c[2],
      name: c[8],
      email: c[9],
      emailVerified: c[10] !== 0,
      image: c[11],
      createdAt: c[12],
      updatedAt: c[13],
    },
  };
}
