import type { Database } from "bun:sqlite";
import { storeUnavailable } from "../database/failure.ts";
import { openChangeGuard } from "./change-guard.ts";
import { openChangeLog } from "./change-log.ts";
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

/** Rows kept at the most, the oldest leaving first. */
const cacheSize = 16_384;

/**
 * Looks sessions up in SQLite through a cache. Three rules keep it exact: the guard is asked before every answer, the
 * guard is asked before the log and the log before the row, and `reader` never holds a read transaction, in which a
 * row could outlive its deletion.
 */
export function openSqliteSessions(path: string, reader: Database): SessionStore {
  const guard = openChangeGuard(path, reader);
  const log = openChangeLog(reader);
  const lookup = reader.query<unknown, [string]>(
    `SELECT ${sessionColumns} FROM session s JOIN user u ON u.id = s.user_id WHERE s.token = ?`,
  );
  const rows = new Map<string, SessionRow>();
  let isBehind = true;
  const catchUp = () => {
    const changed = log.read();
    if (changed === null) rows.clear();
    else for (const token of changed) rows.delete(token);
    isBehind = false;
  };
  const fetchRow = (token: string): SessionRow | null => {
    const columns = lookup.values(token)[0] as Columns | undefined;
    if (columns === undefined) return null;
    const row = sessionRow(columns);
    if (rows.size >= cacheSize) rows.delete(rows.keys().next().value ?? "");
    rows.set(token, row);
    return row;
  };
  return {
    keepsRows: true,
    find(token) {
      try {
        if (guard.changed()) isBehind = true;
        if (isBehind) catchUp();
        return rows.get(token) ?? fetchRow(token);
      } catch (cause) {
        throw storeUnavailable(cause);
      }
    },
    async close() {
      rows.clear();
      log.close();
      lookup.finalize();
      reader.close();
      guard.close();
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
