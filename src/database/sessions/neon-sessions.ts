import type { Pool } from "@neondatabase/serverless";
import { errorCode } from "../store-error.ts";
import { batchLookup, type SessionColumns } from "./lookup.ts";
import type { SessionStore } from "./store.ts";
import { openBatchedSessions } from "./batched.ts";

/** Connections for lookups, so that no other query can starve them; each takes one batch at a time. */
export const lookupPoolSize = 6;

/** Another text has another name: behind a pooler, sessions keep what other processes, and other versions, prepared. */
const statementName = `latchkey ${Bun.hash(batchLookup).toString(36)}`;

/** Looks sessions up through Neon's driver, on a pool of their own of `lookupPoolSize`, which `close` ends. */
export function openNeonSessions(pool: Pool): SessionStore {
  let isPrepared = true;
  return openBatchedSessions({
    batchSize: 48,
    batchesInFlight: lookupPoolSize,
    async run(tokens) {
      const query = { text: batchLookup, values: [tokens], rowMode: "array" as const };
      const ask = async (name: { name?: string }) =>
        (await pool.query<SessionColumns>({ ...query, ...name })).rows;
      try {
        return await ask(isPrepared ? { name: statementName } : {});
      } catch (error) {
        // A column got another type: other connections may have the old plan too.
        if (errorCode(error) === "0A000") return await ask({});
        if (isUnprepared(error)) isPrepared = false;
        throw error;
      }
    },
    // The pool drops a connection whose query was late.
    reset: () => {},
    close: () => pool.end(),
  });
}

/** Whether a pooler stands between that gives each statement another session: invalid, or duplicate, statement name. */
function isUnprepared(error: unknown): boolean {
  const code = errorCode(error);
  return code === "26000" || code === "42P05";
}
