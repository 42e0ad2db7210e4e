import { type SessionColumns, type SessionRow, sessionColumns, sessionRow } from "./store.ts";

/**
 * Looks a batch of sessions up; its one parameter is the array of tokens. Instants come as seconds since the epoch,
 * PostgreSQL's cheapest form that loses nothing. The array is unnested so that its length does not count in the plan's
 * estimate: PostgreSQL then plans the statement once, not at each execution, which costs it more than the lookup
 * (365 µs against 107 µs for one token).
 */
export const batchLookup =
  `SELECT ${sessionColumns((column) => `date_part('epoch', ${column})`)} ` +
  'FROM session s JOIN "user" u ON u.id = s.user_id ' +
  "WHERE s.token = ANY(ARRAY(SELECT unnest($1::text[])))";

/** Reads one row of `batchLookup`. */
export function batchRow(columns: SessionColumns): SessionRow {
  const [id, token, userId, expiresAt, createdAt, updatedAt, ...rest] = columns;
  const [ipAddress, userAgent, name, email, emailVerified, image, userCreatedAt, userUpdatedAt] = rest;
  return sessionRow([
    id,
    token,
    userId,
    milliseconds(expiresAt),
    milliseconds(createdAt),
    milliseconds(updatedAt),
    ipAddress,
    userAgent,
    name,
    email,
    emailVerified,
    image,
    milliseconds(userCreatedAt),
    milliseconds(userUpdatedAt),
  ]);
}

/** Whole ms of an instant with PostgreSQL's microseconds, rounded down; `infinity` stays what it is. */
function milliseconds(seconds: number): number {
  if (!Number.isFinite(seconds)) return seconds;
  // The fraction apart: multiplied whole, a double loses its last digits. Exact until 2242.
  const whole = Math.floor(seconds);
  return whole * 1000 + Math.floor(Math.round((seconds - whole) * 1e6) / 1000);
}
