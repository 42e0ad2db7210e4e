import { storeUnavailable } from "../database/failure.ts";
import { withDeadline } from "../deadline.ts";
import { type PostgresColumns, postgresLookup, postgresRow } from "./columns-postgres.ts";
import type { SessionRow, SessionStore } from "./store.ts";

const lookupTimeoutMs = 900;
/** Batches under way at once, each on a connection of its own. */
const batchesInFlight = 4;
const batchSize = 256;
/** Lookups that may wait for a batch; beyond it the store is too slow to be worth waiting for. */
const waitingMax = 8_192;

interface Waiting {
  readonly token: string;
  readonly resolve: (row: SessionRow | null) => void;
  readonly reject: (error: unknown) => void;
}

/** The text of a batch; its one parameter is the array of tokens. */
export const batchLookup = `${postgresLookup} WHERE s.token = ANY($1)`;

/**
 * Looks sessions up in batches: what arrives while earlier batches are under way goes out together. For drivers and
 * poolers that cannot pipeline. `run` executes `batchLookup` and rejects when its connection is lost.
 */
export function openBatchedSessions(
  run: (tokens: string[]) => Promise<PostgresColumns[]>,
  close: () => Promise<void>,
): SessionStore {
  let waiting: Waiting[] = [];
  let inFlight = 0;
  let scheduled = false;

  const send = async (batch: Waiting[]): Promise<void> => {
    const tokens = [...new Set(batch.map((lookup) => lookup.token))];
    try {
      // A read may be asked twice: the first connection may have died while idle.
      const rows = await withDeadline(
        run(tokens).catch(() => run(tokens)),
        lookupTimeoutMs,
        () => new Error(`no session lookup within ${lookupTimeoutMs} ms`),
      );
      const found = new Map(rows.map((columns) => [columns[1], postgresRow(columns)]));
      for (const lookup of batch) lookup.resolve(found.get(lookup.token) ?? null);
    } catch (cause) {
      for (const lookup of batch) lookup.reject(storeUnavailable(cause));
    }
  };
  const pump = (): void => {
    scheduled = false;
    while (waiting.length > 0 && inFlight < batchesInFlight) {
      const batch = waiting.slice(0, batchSize);
      waiting = waiting.slice(batchSize);
      inFlight += 1;
      void send(batch).finally(() => {
        inFlight -= 1;
        pump();
      });
    }
  };
  return {
    keepsRows: false,
    find(token) {
      if (waiting.length >= waitingMax)
        return Promise.reject(storeUnavailable(new Error("lookup queue is full")));
      const { promise, resolve, reject } = Promise.withResolvers<SessionRow | null>();
      waiting.push({ token, resolve, reject });
      if (!scheduled) {
        scheduled = true;
        setImmediate(pump);
      }
      return promise;
    },
    close,
  };
}
