import type { Database, Transaction } from "./database.ts";

/** Rows a batch deletes at the most: few enough to hold SQLite's lock for a few ms. */
export const sweepBatchSize = 50;
/** Lines of the change log that stay for readers that are behind; one further behind drops its whole cache. */
const changesKept = 1_000;

/**
 * Deletes one batch of sessions that ended before `before` (ms since the epoch), and of changes nobody waits for.
 * @returns the rows deleted; fewer than `sweepBatchSize` of each when there is no more.
 */
export async function sweepBatch(database: Database, before: number): Promise<number> {
  const transaction = await database.begin();
  try {
    const deleted =
      database.provider === "sqlite"
        ? await sweepSqlite(transaction, before)
        : await sweepPostgres(transaction, before);
    await transaction.commit();
    return deleted;
  } catch (error) {
    await transaction.rollback();
    throw error;
  }
}

async function sweepSqlite({ query }: Transaction, before: number): Promise<number> {
  const sessions = await query(
    "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_at < ? LIMIT ?) RETURNING 1",
    [before, sweepBatchSize],
  );
  const changes = await query(
    "DELETE FROM session_change WHERE seq IN (SELECT seq FROM session_change " +
      "WHERE seq <= (SELECT max(seq) FROM session_change) - ? ORDER BY seq LIMIT ?) RETURNING 1",
    [changesKept, 4 * sweepBatchSize],
  );
  return Math.max(sessions.length, Math.floor(changes.length / 4));
}

async function sweepPostgres({ query }: Transaction, before: number): Promise<number> {
  // SKIP LOCKED: instances that sweep at once take different rows, and nobody's sign-out waits.
  const rows = await query(
    "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_at < to_timestamp($1::float8 / 1000) " +
      "ORDER BY expires_at LIMIT $2::int FOR UPDATE SKIP LOCKED) RETURNING 1 AS one",
    [before, sweepBatchSize],
  );
  return rows.length;
}
