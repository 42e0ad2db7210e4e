import { storeUnavailable } from "../store-error.ts";
import { createBoundedMap } from "../../bounded-map.ts";
import { withDeadline } from "../../deadline.ts";
import { hedge } from "../../hedge.ts";
import { batchRow, type SessionColumns } from "./lookup.ts";
import type { SessionRow, SessionStore } from "./store.ts";

/** A verify on a live connection answers within 1 s, 503 included; this leaves it the rest. */
export const lookupTimeoutMs = 900;
/** A database that slept needs seconds to take a connection; a lookup that has to wait for one gets these. */
const wakeTimeoutMs = 5_000;
/** One that takes longer may hang, as behind a balancer whose server has just gone: another is asked for beside it. */
const hangingMs = 1_000;
/** A connection that took longer had to be made. */
const noticeableMs = 50;
/** Before a batch that lost its connection is asked again, the last time within its second. */
const againMs = [0, 50, 100, 200, 300];
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

interface RunningBatch {
  /** Resolves once it has a connection; null where it has one. */
  readonly connected: Promise<unknown> | null;
  /** Its rows as arrays; rejects when its connection is lost. */
  readonly rows: Promise<SessionColumns[]>;
}

export interface BatchDeps {
  /** This many waiting lookups are sent at once, without gathering: few, so that batches overlap. */
  readonly batchSize: number;
  /** Batches that may be under way at once, now: enough for a database far away, and none that would wait for a connection. */
  readonly batchesInFlight: () => number;
  /** Makes room for another one, behind those that are under way; null where nothing is to come of it. */
  readonly widen?: () => Promise<unknown> | null;
  /** Connects where there is no live connection, beside what is still connecting; null where there is one. */
  readonly connect: () => Promise<unknown> | null;
  /** Executes `batchLookup`. */
  readonly run: (tokens: string[]) => RunningBatch;
  /** Replaces a connection that did not answer in time. */
  readonly reset: () => void;
  readonly close: () => Promise<void>;
}

/**
 * Looks sessions up in batches: what arrives in one turn of the event loop goes out together, and what arrives while
 * others are under way gathers first. Every lookup is sent after it was asked for, so an answer is as fresh as one of
 * its own would be. A batch whose connection was lost is asked again a few times; one that is late fails with everything that
 * waits behind it. Where there is no connection, lookups wait for one for up to 5 s, but for no longer than a second once
 * that was in vain: a database that is down is not one that wakes.
 */
export function openBatchedSessions(deps: BatchDeps): SessionStore {
  const { batchSize, batchesInFlight } = deps;
  let waiting: Waiting[] = [];
  let inFlight = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isScheduled = false;
  /** How often the connection was replaced: batches that were late on one together replace it once. */
  let replaced = 0;
  let waking: Promise<void> | null = null;
  /** When a connection last came to life, in `performance.now()` ms: a lookup's second begins no earlier. */
  let liveSince = 0;
  /** Batches that wait for a connection. */
  let connecting = 0;
  /** Whether the last try to connect, or to ask, was in vain. */
  let isFailing = false;
  const rowOf = createRowMemory(batchRow);

  const replace = (): void => {
    replaced += 1;
    deps.reset();
  };
  /** Before further tries: where the last one was in vain, too, it is not for a connection that died. */
  const pausesNow = () => (isFailing ? againMs.slice(0, 1) : againMs);
  const connectAgain = async (first: Promise<unknown>): Promise<void> => {
    const pauses = pausesNow();
    const deadline = performance.now() + wakeTimeoutMs;
    let next: Promise<unknown> | null = first;
    for (let tried = 0; next !== null; tried += 1) {
      const { settled, stop } = hedge(next, hangingMs, deps.connect);
      try {
        await withDeadline(settled, deadline - performance.now(), () => new LateLookup(wakeTimeoutMs));
        return;
      } catch (error) {
        const pauseMs = pauses[tried];
        if (error instanceof LateLookup || pauseMs === undefined) throw error;
        if (pauseMs > 0) await Bun.sleep(pauseMs);
        next = deps.connect();
      } finally {
        stop();
      }
    }
  };
  const connectOnce = async (first: Promise<unknown>): Promise<void> => {
    try {
      await connectAgain(first);
      isFailing = false;
      liveSince = performance.now();
    } catch (cause) {
      isFailing = true;
      if (cause instanceof LateLookup) replace();
      for (const lookup of waiting.splice(0)) lookup.reject(storeUnavailable(cause));
      throw cause;
    } finally {
      waking = null;
      clearTimeout(timer);
      timer = undefined;
    }
  };
  /** Resolves once there is a connection; null where there is one. */
  const wake = (): Promise<void> | null => {
    if (waking !== null) return waking;
    const connecting = deps.connect();
    if (connecting === null) return null;
    waking = connectOnce(connecting);
    waking.then(flush, () => {});
    return waking;
  };
  /**
   * Waits for a connection, for as long as one that wakes may take: each lookup from when it was asked for, however often
   * a connection was lost since, and the last of them for as long as all.
   */
  const waitFor = async (connected: Promise<unknown>, batch: readonly Waiting[]): Promise<void> => {
    const patienceMs = isFailing ? lookupTimeoutMs : wakeTimeoutMs;
    const started = performance.now();
    const leftMs = ({ askedAt }: Waiting) => askedAt + patienceMs - performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const refuseOldest = () => {
      const next = batch.find((lookup) => leftMs(lookup) > 0);
      if (next === undefined) return reject(new LateLookup(patienceMs));
      for (const lookup of batch)
        if (leftMs(lookup) <= 0) lookup.reject(storeUnavailable(new LateLookup(patienceMs)));
      expiry = setTimeout(refuseOldest, leftMs(next));
    };
    let expiry = setTimeout(refuseOldest, Math.max(0, ...batch.slice(0, 1).map(leftMs)));
    connecting += 1;
    connected.then(resolve, reject);
    try {
      await promise;
    } catch (error) {
      isFailing = true;
      throw error;
    } finally {
      clearTimeout(expiry);
      connecting -= 1;
      // One that was there was had at once.
      if (performance.now() - started > noticeableMs) liveSince = performance.now();
    }
  };
  const ask = async (tokens: string[], batch: readonly Waiting[]): Promise<SessionColumns[]> => {
    const { connected, rows } = deps.run(tokens);
    if (connected !== null) {
      rows.catch(() => {});
      await waitFor(connected, batch);
    }
    const since = Math.max(batch[0]?.askedAt ?? 0, liveSince);
    const leftMs = () => lookupTimeoutMs - (performance.now() - since);
    try {
      return await withDeadline(rows, leftMs(), () => new LateLookup(lookupTimeoutMs));
    } catch (cause) {
      // The driver has a clock of its own: by either of them it is late, and not to be asked again.
      throw leftMs() > 0 ? cause : new LateLookup(lookupTimeoutMs, { cause });
    }
  };
  /** A read may be asked again: its connection may have died while idle, and in a pooler several in a row. */
  const askUntilLate = async (tokens: string[], batch: readonly Waiting[]): Promise<SessionColumns[]> => {
    const pauses = pausesNow();
    for (let tried = 0; ; tried += 1) {
      const connected = tried === 0 ? null : wake();
      if (connected !== null) await waitFor(connected, batch);
      try {
        return await ask(tokens, batch);
      } catch (error) {
        const pauseMs = pauses[tried];
        if (error instanceof LateLookup || pauseMs === undefined) throw error;
        if (pauseMs > 0) await Bun.sleep(pauseMs);
      }
    }
  };
  const send = async (batch: Waiting[]): Promise<void> => {
    const tokens = [...new Set(batch.map((lookup) => lookup.token))];
    const sentOn = replaced;
    try {
      const rows = await askUntilLate(tokens, batch);
      isFailing = false;
      const found = new Map(rows.map((columns) => [columns[1], rowOf(columns)]));
      for (const lookup of batch) lookup.resolve(found.get(lookup.token) ?? null);
    } catch (cause) {
      isFailing = true;
      if (sentOn === replaced) replace();
      const failed = cause instanceof LateLookup ? [...batch, ...waiting.splice(0)] : batch;
      for (const lookup of failed) lookup.reject(storeUnavailable(cause));
    }
  };
  /** Refuses what has waited for longer than `maxMs`, the time before `since` aside. */
  const refuseLate = (maxMs: number, since = liveSince): void => {
    const now = performance.now();
    const inTime = waiting.findIndex(({ askedAt }) => now - Math.max(askedAt, since) <= maxMs);
    for (const lookup of waiting.splice(0, inTime === -1 ? waiting.length : inTime))
      lookup.reject(storeUnavailable(new LateLookup(maxMs)));
  };
  /** While a connection is waited for that the last try did not get, nobody waits for longer than for an answer. */
  const wait = (): void => {
    const [maxMs, since] = isFailing ? [lookupTimeoutMs, liveSince] : [wakeTimeoutMs, 0];
    refuseLate(maxMs, since);
    const oldest = waiting[0];
    clearTimeout(timer);
    timer = undefined;
    if (oldest === undefined) return;
    const leftMs = maxMs - (performance.now() - Math.max(oldest.askedAt, since));
    timer = setTimeout(
      () => {
        timer = undefined;
        if (waking !== null) wait();
      },
      Math.max(1, leftMs),
    );
  };
  const flush = (): void => {
    isScheduled = false;
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length > 0 && wake() !== null) return wait();
    if (connecting === 0 || isFailing) refuseLate(waitingMaxMs);
    while (waiting.length > 0 && inFlight < batchesInFlight()) {
      const batch = waiting.slice(0, batchMax);
      waiting = waiting.slice(batchMax);
      inFlight += 1;
      void send(batch).finally(() => {
        inFlight -= 1;
        flush();
      });
    }
    if (waiting.length > 0) deps.widen?.()?.then(flushWhereRoom, () => {});
  };
  const flushWhereRoom = (): void => {
    if (inFlight < batchesInFlight()) flush();
  };
  const schedule = (): void => {
    if (waking !== null) wait();
    else if (waiting.length >= batchSize) flush();
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
  constructor(timeoutMs: number, options?: ErrorOptions) {
    super(`no session lookup within ${timeoutMs} ms`, options);
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
