import type { Database, Transaction } from "./database.ts";

type Provider = Database["provider"];

/** Locks a user; one who is locked stays so since the first time. */
export async function insertLock(
  { query }: Transaction,
  provider: Provider,
  userId: string,
  now: number,
): Promise<void> {
  const values = provider === "pg" ? "$1, $2" : "?1, ?2";
  await query(
    `INSERT INTO latchkey_lock (user_id, locked_at) VALUES (${values}) ON CONFLICT (user_id) DO NOTHING`,
    [userId, now],
  );
}

export async function deleteLock({ query }: Transaction, provider: Provider, userId: string): Promise<void> {
  await query(`DELETE FROM latchkey_lock WHERE user_id = ${provider === "pg" ? "$1" : "?1"}`, [userId]);
}

/** Whether a user is locked, as far as that is committed. @throws AppError 503. */
export async function isLocked({ provider, read }: Database, userId: string): Promise<boolean> {
  const rows = await read(
    `SELECT 1 AS one FROM latchkey_lock WHERE user_id = ${provider === "pg" ? "$1" : "?1"}`,
    [userId],
  );
  return rows.length > 0;
}
