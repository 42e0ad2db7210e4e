import type { Database, Transaction } from "./database.ts";

/** How many sessions somebody keeps. Instants are in ms since the epoch. */
export interface SessionCap {
  readonly userId: string;
  /** The session that was just made: it is counted, and never ended. */
  readonly token: string;
  readonly max: number;
  /** A session lives that was made within these two, and ends after `now`. */
  readonly madeFrom: number;
  readonly madeTo: number;
  readonly now: number;
}

/** Beyond it, an instant is damaged: of a `Date`, from 1970. SQLite takes text for larger than any number. */
const instantMax = 8.64e15;

/**
 * Ends somebody's oldest live sessions beyond the cap. Exact where the transaction began with a lock of the user's row, as
 * every sign-in's does: two of one user count one after the other. The index of `user_id` finds the rows.
 * @returns how many were ended.
 */
export async function capSessions(
  { query }: Transaction,
  provider: Database["provider"],
  { userId, token, max, madeFrom, madeTo, now }: SessionCap,
): Promise<number> {
  const instant = (parameter: string) =>
    provider === "pg" ? `to_timestamp(${parameter}::float8 / 1000)` : parameter;
  const between = (column: string, from: string, to: string) =>
    `${column} BETWEEN ${instant(from)} AND ${instant(to)}`;
  // SQLite numbers `?1` as PostgreSQL does `$1`.
  const at = (parameter: number) => (provider === "pg" ? `$${parameter}` : `?${parameter}`);
  const ended = await query(
    `DELETE FROM session WHERE id IN (SELECT id FROM session WHERE user_id = ${at(1)} AND token <> ${at(2)} ` +
      `AND ${between("expires_at", at(3), at(4))} AND ${between("created_at", at(5), at(6))} ` +
      `ORDER BY created_at DESC, id DESC LIMIT ${rowsMax} OFFSET ${provider === "pg" ? "$7::int" : "?7"}) ` +
      "RETURNING 1 AS one",
    [userId, token, now, instantMax, madeFrom, madeTo, max - 1],
  );
  return ended.length;
}

/** SQLite has no `OFFSET` without a `LIMIT`. */
const rowsMax = 2_147_483_647;
