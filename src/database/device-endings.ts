import type { Database, Transaction } from "./database.ts";
import { numbered } from "./numbered.ts";

/** More than any count: what is kept longest. */
const points = 1_000_000_000;

/** Notes, in a transaction, that browsers which an account knows by then are known no more. @param until in ms since the epoch. */
export async function insertDeviceEnding(
  { query }: Transaction,
  provider: Database["provider"],
  key: string,
  until: number,
): Promise<void> {
  const text =
    "INSERT INTO latchkey_limit (key, points, expires_at) VALUES (?, CAST(? AS integer), CAST(? AS bigint)) " +
    "ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at";
  await query(numbered(provider, text), [key, points, until]);
}

/** Until when that is noted, the latest of some keys; null where it is not. @throws AppError 503. */
export async function findDeviceEnding(
  { provider, read }: Pick<Database, "provider" | "read">,
  keys: readonly string[],
): Promise<number | null> {
  const text = `SELECT max(expires_at) AS at FROM latchkey_limit WHERE key IN (${keys.map(() => "?").join(", ")})`;
  const [row] = await read(numbered(provider, text), keys);
  const at = row?.["at"] ?? null;
  return at === null ? null : Number(at);
}
