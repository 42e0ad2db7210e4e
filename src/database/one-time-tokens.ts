import type { Database, Row, Transaction } from "./database.ts";

type Provider = Database["provider"];

/** A token that works once, in BetterAuth's `verification`: whoever reads the table learns of none. */
export interface OneTimeToken {
  /** A hash of the token: nobody else's row has it. */
  readonly id: string;
  /** What it is for, such as `latchkey:recovery:…`, shared by all that end together. */
  readonly identifier: string;
  /** What whoever brings it may do, in its maker's form. */
  readonly value: string;
  /** In ms since the epoch. */
  readonly expiresAt: number;
}

/** What all identifiers of latchkey's own begin with; another service's rows are left alone. */
const own = "latchkey:";

const dialects = {
  sqlite: {
    at: (parameter: number) => `?${parameter}`,
    instant: (parameter: string) => parameter,
    milliseconds: (column: string) => column,
    skip: "",
  },
  pg: {
    at: (parameter: number) => `$${parameter}`,
    instant: (parameter: string) => `to_timestamp(${parameter}::float8 / 1000)`,
    milliseconds: (column: string) => `round(date_part('epoch', ${column}) * 1000)`,
    // Two that clear up at once take different rows.
    skip: " FOR UPDATE SKIP LOCKED",
  },
} as const;

/** Keeps a token, anew where it is kept already, and clears away those of latchkey's own whose time is over. @param now in ms since the epoch. */
export async function insertToken(
  { query }: Transaction,
  provider: Provider,
  { id, identifier, value, expiresAt }: OneTimeToken,
  now: number,
): Promise<void> {
  const { at, instant, skip } = dialects[provider];
  await query(
    `DELETE FROM verification WHERE id IN (SELECT id FROM verification WHERE substr(identifier, 1, ${own.length}) = ` +
      `'${own}' AND expires_at <= ${instant(at(1))}${skip})`,
    [now],
  );
  await query(
    "INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at) " +
      `VALUES (${at(1)}, ${at(2)}, ${at(3)}, ${instant(at(4))}, ${instant(at(5))}, ${instant(at(5))}) ` +
      "ON CONFLICT (id) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at, updated_at = excluded.updated_at",
    [id, identifier, value, expiresAt, now],
  );
}

/** What a token stands for, as long as it counts. @throws AppError 503. */
export async function findToken(
  { provider, read }: Database,
  id: string,
  now: number,
): Promise<string | undefined> {
  return valueIn(await read(`SELECT value FROM verification WHERE ${counts(provider)}`, [id, now]));
}

/** Those of several tokens that count. @throws AppError 503. */
export async function findTokens(
  { provider, read }: Pick<Database, "provider" | "read">,
  ids: readonly string[],
  now: number,
): Promise<readonly { readonly id: string; readonly value: string }[]> {
  if (ids.length === 0) return [];
  const { at, instant } = dialects[provider];
  const list = ids.map((_, index) => at(index + 2)).join(", ");
  const rows = await read(
    `SELECT id, value FROM verification WHERE expires_at > ${instant(at(1))} AND id IN (${list})`,
    [now, ...ids],
  );
  return rows.map(({ id, value }) => ({ id: String(id), value: String(value) }));
}

/** The tokens of an identifier that count. @throws AppError 503. */
export async function listTokens(
  { query }: Pick<Transaction, "query">,
  provider: Provider,
  identifier: string,
  now: number,
): Promise<readonly { readonly id: string; readonly value: string }[]> {
  const { at, instant } = dialects[provider];
  const rows = await query(
    `SELECT id, value FROM verification WHERE identifier = ${at(1)} AND expires_at > ${instant(at(2))}`,
    [identifier, now],
  );
  return rows.map(({ id, value }) => ({ id: String(id), value: String(value) }));
}

/** Takes a token away: of many that bring one, one gets what it stands for. */
export async function takeToken(
  { query }: Pick<Transaction, "query">,
  provider: Provider,
  id: string,
  now: number,
): Promise<string | undefined> {
  return valueIn(
    await query(`DELETE FROM verification WHERE ${counts(provider)} RETURNING value`, [id, now]),
  );
}

/** Ends every token of an identifier. */
export async function deleteTokens(
  { query }: Transaction,
  provider: Provider,
  identifier: string,
): Promise<void> {
  await query(`DELETE FROM verification WHERE identifier = ${dialects[provider].at(1)}`, [identifier]);
}

/** A token that counts, as an operator sees it. */
export interface OpenToken extends Omit<OneTimeToken, "identifier"> {
  /** In ms since the epoch. */
  readonly createdAt: number;
}

/** The tokens of an identifier that count, the first to end first. */
export async function openTokens(
  { provider, read }: Pick<Database, "provider" | "read">,
  identifier: string,
  now: number,
): Promise<readonly OpenToken[]> {
  const { at, instant, milliseconds } = dialects[provider];
  const rows = await read(
    `SELECT id, value, ${milliseconds("created_at")} AS made, ${milliseconds("expires_at")} AS ends FROM verification ` +
      `WHERE identifier = ${at(1)} AND expires_at > ${instant(at(2))} ORDER BY expires_at, id`,
    [identifier, now],
  );
  return rows.map((row) => ({
    id: String(row["id"]),
    value: String(row["value"]),
    createdAt: Number(row["made"]),
    expiresAt: Number(row["ends"]),
  }));
}

function counts(provider: Provider): string {
  const { at, instant } = dialects[provider];
  return `id = ${at(1)} AND expires_at > ${instant(at(2))}`;
}

function valueIn([row]: readonly Row[]): string | undefined {
  return row === undefined ? undefined : String(row["value"]);
}
