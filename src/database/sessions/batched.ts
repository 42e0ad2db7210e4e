import { storeUnavailable } from "../store-error.ts";
import { createBoundedMap } from "../../bounded-map.ts";
import { withDeadline } from "../../deadline.ts";
import { batchRow, type SessionColumns } from "./lookup.ts";
import type { SessionRow, SessionStore } from "./store.ts";

/** A verify answers within 1 s, 503 included; this leaves it the rest. */
export const lookupTimeoutMs = 900;
/** So many batches go out without gathering: one for the database to work on while the other is on its way. */
const eagerBatches = 2;
/** How long lookups gather beyond that, unless they fill a batch or one comes back before. */
const gatherMs = 1;
/** Lookups in a batch at the most, when as many batches are under way as may be. */
const batchMax = 256;
/** A lookup that waited so long for a batch is refused: what is left of `lookupTimeoutMs` is for the answer. */
const waitingMaxMs = 450;
/** Lookups that may wait for a batch; beyond it the store is too slow to be worth waiting for. */
const waitingMax = 8_192;

interface Waiting {
  readonly token: string;
  /** In `performance.now()` ms. */
  readonly askedAt: number;
  readonly resolve: (row: SessionRow | null) => void;
  readonly reject: (error: unknown) => void;
}

export interface BatchDeps {
  /** This many waiting lookups are sent at once, without gathering: few, so that batches overlap. */
  readonly batchSize: number;
  /** Batches under way at once: enough for a database far away. */
  readonly batchesInFlight: number;
  /** Executes `batchLookup`, its rows as arrays; rejects when its connection is lost. */
  readonly run: (tokens: string[]) => Promise<SessionColumns[]>;
  /** Replaces a connection that did not answer in time. */
  readonly reset: () => void;
  readonly close: () => Promise<void>;
}

/**
 * Looks sessions up in batches: what arrives in one turn of the event loop goes out together, and what arrives while
 * others are under way gathers first. Every lookup is sent after it was asked for, so an answer is as fresh as one of
 * its own would be. A batch whose connection was lost is asked once more; one that is late fails with everything that
 * waits behind it.
 */
export function openBatchedSessions(deps: BatchDeps): SessionStore {
  const { batchSize, batchesInFlight } = deps;
  let waiting: Waiting[] = [];
  let inFlight = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isScheduled = false;
  /** How often the connection was replaced: batches that were late on one together replace it once. */
  let replaced = 0;
  const rowOf = createRowMemory(batchRow);

  const send = async (batch: Waiting[]): Promise<void> => {
    const tokens = [...new Set(batch.map((lookup) => lookup.token))];
    const sentOn = replaced;
    let isLate = false;
    try {
      const rows = await withDeadline(
        // A read may be asked twice: the first connection may have died while idle.
        deps.run(tokens).catch((error: unknown) => {
          if (isLate) throw error;
          return deps.run(tokens);
        }),
        lookupTimeoutMs - (performance.now() - (batch[0]?.askedAt ?? 0)),
        () => {
          isLate = true;
          return new LateLookup();
        },
      );
      const found = new Map(rows.map((columns) => [columns[1], rowOf(columns)]));
      for (const lookup of batch) lookup.resolve(found.get(lookup.token) ?? null);
    } catch (cause) {
      if (sentOn === replaced) {
        replaced += 1;
        deps.reset();
      }
      const failed = cause instanceof LateLookup ? [...batch, ...waiting.splice(0)] : batch;
      for (const lookup of failed) lookup.reject(storeUnavailable(cause));
    }
  };
  const refuseLate = (): void => {
    const since = performance.now() - waitingMaxMs;
    if ((waiting[0]?.askedAt ?? since) >= since) return;
    const inTime = waiting.findIndex(({ askedAt }) => askedAt >= since);
    for (const lookup of waiting.splice(0, inTime === -1 ? waiting.length : inTime))
      lookup.reject(storeUnavailable(new LateLookup()));
  };
  const flush = (): void => {
    isScheduled = false;
    clearTimeout(timer);
    timer = undefined;
    refuseLate();
    while (waiting.length > 0 && inFlight < batchesInFlight) {
      const batch = waiting.slice(0, batchMax);
      waiting = waiting.slice(batchMax);
      inFlight += 1;
      void send(batch).finally(() => {
        inFlight -= 1;
        flush();
      });
    }
  };
  const schedule = (): void => {
    if (waiting.length >= batchSize) flush();
    else if (inFlight >= eagerBatches) timer ??= setTimeout(flush, gatherMs);
    else if (!isScheduled) {
      isScheduled = true;
      setImmediate(flush);
    }
  };
  return {
    find(token) {
      if (waiting.length >= waitingMax)
        return Promise.reject(storeUnavailable(new Error("lookup queue is full")));
      const { promise, resolve, reject } = Promise.withResolvers<SessionRow | null>();
      waiting.push({ token, askedAt: performance.now(), resolve, reject });
      schedule();
      return promise;
    },
    close: deps.close,
  };
}

class LateLookup extends Error {
  override readonly name = "LateLookup";
  constructor() {
    super(`no session lookup within ${lookupTimeoutMs} ms`);
  }
}

/** Rows remembered at the most. */
const remembered = 10_240;

/**
 * Reads looked-up rows so that one which has not changed since it was last read is the same object: what was made of it
 * then holds still. It answers nothing by itself: every row is one that the database has just sent.
 */
function createRowMemory(
  read: (columns: SessionColumns) => SessionRow,
): (columns: SessionColumns) => SessionRow {
  const known = createBoundedMap<{ readonly columns: SessionColumns; readonly row: SessionRow }>(remembered);
  return (columns) => {
    const last = known.get(columns[1]);
    if (last !== undefined && isSame(last.columns, columns)) return last.row;
    const row = read(columns);
    known.set(row.token, { columns, row });
    return row;
  };
}

function isSame(one: SessionColumns, other: SessionColumns): boolean {
  for (let at = 0; at < one.length; at += 1) if (one[at] !== other[at]) return false;
  return true;
}
