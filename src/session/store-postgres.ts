import type { SQL } from "bun";
import { storeUnavailable } from "../database/failure.ts";
import { withDeadline } from "../deadline.ts";
import { type PostgresColumns, postgresLookup, postgresRow } from "./columns-postgres.ts";
import type { SessionRow, SessionStore } from "./store.ts";

/** A verify answers within 1 s, 503 included; this leaves it the rest. */
const lookupTimeoutMs = 900;

/**
 * Looks sessions up on one PostgreSQL connection of its own, which Bun pipelines, so that no other query can starve it.
 * A lookup whose connection was lost is asked once more; one that is late replaces the connection.
 */
export function openPipelinedSessions(connect: () => SQL): SessionStore {
  let client = connect();
  const text = `${postgresLookup} WHERE s.token = $1`;
  const replace = (failed: SQL) => {
    if (failed !== client) return;
    client = connect();
    void failed.close({ timeout: 0 }).catch(() => {});
  };
  const ask = async (token: string): Promise<SessionRow | null> => {
    const rows = (await client.unsafe(text, [token]).values()) as PostgresColumns[];
    const columns = rows[0];
    return columns === undefined ? null : postgresRow(columns);
  };
  return {
    keepsRows: false,
    async find(token) {
      const used = client;
      try {
        return await withDeadline(
          ask(token).catch(() => ask(token)),
          lookupTimeoutMs,
          () => new Error(`no session lookup within ${lookupTimeoutMs} ms`),
        );
      } catch (cause) {
        replace(used);
        throw storeUnavailable(cause);
      }
    },
    async close() {
      await client.close({ timeout: 1 });
    },
  };
}
