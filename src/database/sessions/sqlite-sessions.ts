import { edenGC } from "bun:jsc";
import type { Database } from "bun:sqlite";
import { storeUnavailable } from "../store-error.ts";
import { createBoundedMap } from "../../bounded-map.ts";
import type { ChangeGuard } from "./change-guard.ts";
import { openChangeLog } from "./change-log.ts";
import { type SessionColumns, sessionColumns, sessionRow } from "./lookup.ts";
import type { SessionRow, SessionStore } from "./store.ts";

/** Rows kept at the most. */
const cacheSize = 10_240;
/**
 * A row that has to be read leaves several kilobytes of garbage behind, its request's included. JavaScriptCore lets 30 MB
 * of it gather, among which the rows that stay are strewn: 145 MB of memory where 112 MB do, collected in 3 ms this often.
 */
const readsPerCollection = 1_024;

/** Looks one session up by its token. */
export const sessionLookup = `SELECT ${sessionColumns((column) => column)} FROM session s JOIN user u ON u.id = s.user_id WHERE s.token = ?`;

/**
 * Looks sessions up in SQLite through a cache. Three rules keep it exact: the guard is asked before every answer, the
 * guard is asked before the log and the log before the row, and `reader` never holds a read transaction, in which a
 * row could outlive its deletion. Who opened `guard` and `reader` closes them.
 */
export function openSqliteSessions(guard: ChangeGuard, reader: Database): SessionStore {
  const log = openChangeLog(reader);
  const lookup = reader.query<unknown, [string]>(sessionLookup);
  const rows = createBoundedMap<SessionRow>(cacheSize);
  let isBehind = true;
  const catchUp = () => {
    const changed = log.read();
    if (changed === null) rows.clear();
    else for (const token of changed) rows.delete(token);
    isBehind = false;
  };
  let reads = 0;
  const fetchRow = (token: string): SessionRow | null => {
    reads += 1;
    if (reads % readsPerCollection === 0) edenGC();
    const columns = lookup.values(token)[0] as SessionColumns | undefined;
    if (columns === undefined) return null;
    const row = sessionRow(columns);
    rows.set(token, row);
    return row;
  };
  return {
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
    },
  };
}
