import type { Database, Transaction } from "./database.ts";

/** Removes ended sessions in the background. */
export interface Sweeper {
  /** Says that something was written: the store is awake, and a sweep may follow. */
  wake(): void;
  /** Resolves when no batch is under way. */
  stop(): Promise<void>;
}

export interface SweeperDeps {
  /** Deletes at most `size` of what ended before an instant in ms since the epoch. @returns the rows deleted. */
  readonly sweepBatch: (before: number, size: number) => Promise<number>;
  /** At the most. */
  readonly batchSize: number;
  /** What a batch is to take, in ms, of a store that answers nobody meanwhile: larger ones become smaller. */
  readonly batchMs?: number;
  readonly now: () => number;
  readonly onFailure: (error: unknown) => void;
  /** Between a write and its sweep, and between two sweeps at the least. */
  readonly delayMs: number;
  /** Between two batches: others get the lock. */
  readonly pauseMs: number;
}

/**
 * Sweeps after writes and never by itself, so that a sleeping database is left asleep: one sweep `delayMs` after the
 * first write, batch by batch until none is full.
 */
export function createSweeper(deps: SweeperDeps): Sweeper {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let sweeping: Promise<void> | undefined;
  let stopped = false;
  let size = deps.batchSize;
  const isMore = async (): Promise<boolean> => {
    const [started, wanted] = [performance.now(), size];
    const swept = await deps.sweepBatch(deps.now(), wanted);
    const share = (deps.batchMs ?? Number.POSITIVE_INFINITY) / (performance.now() - started);
    size = Math.max(batchSizeMin, Math.min(deps.batchSize, Math.floor(wanted * share)));
    return swept >= wanted;
  };
  const sweep = async () => {
    try {
      while (!stopped && (await isMore())) await Bun.sleep(deps.pauseMs);
    } catch (error) {
      deps.onFailure(error);
    } finally {
      sweeping = undefined;
    }
  };
  return {
    wake() {
      if (timer !== undefined || sweeping !== undefined || stopped) return;
      timer = setTimeout(() => {
        timer = undefined;
        sweeping = sweep();
      }, deps.delayMs);
      // A process that has nothing else to do need not wait for it.
      timer.unref();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await sweeping;
    },
  };
}

/** Rows a batch deletes at the most: few enough to hold SQLite's lock for a few ms, where its pages are in memory. */
export const sweepBatchSize = 50;
/** More than anybody's sign-ins make in the time of a pause. */
const batchSizeMin = 5;
/** Lines of the change log that stay for readers that are behind; one further behind drops its whole cache. */
const changesKept = 1_000;

/**
 * Deletes one batch of sessions that ended before `before` (ms since the epoch), of changes nobody waits for, and of
 * limits whose time is over.
 * @returns the rows deleted; fewer than `size` of each when there is no more.
 */
export async function sweepBatch(database: Database, before: number, size = sweepBatchSize): Promise<number> {
  const transaction = await database.begin();
  try {
    const deleted =
      database.provider === "sqlite"
        ? await sweepSqlite(transaction, before, size)
        : await sweepPostgres(transaction, before, size);
    const limits = await sweepLimits(transaction, database.provider, before, size);
    await transaction.commit();
    return Math.max(deleted, limits);
  } catch (error) {
    await transaction.rollback();
    throw error;
  }
}

/** More are not kept: whoever tries ever new addresses pushes out the counts of others that say the least. */
const limitsMax = 200_000;

/** Limits whose time is over, and those beyond what is kept. @param at in ms since the epoch. */
async function sweepLimits(
  { query }: Transaction,
  provider: Database["provider"],
  at: number,
  size: number,
): Promise<number> {
  const [first, second] = provider === "pg" ? ["$1", "$2"] : ["?", "?"];
  const batch = 4 * size;
  const over = await query(
    `DELETE FROM latchkey_limit WHERE key IN (SELECT key FROM latchkey_limit WHERE expires_at <= ${first} LIMIT ${second}) RETURNING 1 AS one`,
    [at, batch],
  );
  if (over.length === batch) return size;
  const [row] = await query("SELECT count(*) AS n FROM latchkey_limit", []);
  const beyond = Number(row?.["n"] ?? 0) - limitsMax;
  if (beyond > 0)
    await query(
      `DELETE FROM latchkey_limit WHERE key IN (SELECT key FROM latchkey_limit ORDER BY points, expires_at LIMIT ${first})`,
      [beyond],
    );
  return 0;
}

async function sweepSqlite({ query }: Transaction, before: number, size: number): Promise<number> {
  const sessions = await query(
    "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_at < ? LIMIT ?) RETURNING 1",
    [before, size],
  );
  const changes = await query(
    "DELETE FROM session_change WHERE seq IN (SELECT seq FROM session_change " +
      "WHERE seq <= (SELECT max(seq) FROM session_change) - ? ORDER BY seq LIMIT ?) RETURNING 1",
    [changesKept, 4 * size],
  );
  return Math.max(sessions.length, Math.floor(changes.length / 4));
}

async function sweepPostgres({ query }: Transaction, before: number, size: number): Promise<number> {
  // SKIP LOCKED: instances that sweep at once take different rows, and nobody's sign-out waits.
  const rows = await query(
    "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_at < to_timestamp($1::float8 / 1000) " +
      "ORDER BY expires_at LIMIT $2::int FOR UPDATE SKIP LOCKED) RETURNING 1 AS one",
    [before, size],
  );
  return rows.length;
}
