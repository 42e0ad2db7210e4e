import type { Database, Parameter, Row, Transaction } from "./database.ts";
import { numbered } from "./numbered.ts";

type Provider = Database["provider"];

/** A mail to be sent, and what is known of it. Instants are in ms since the epoch. */
export interface Mail {
  /** Of its cause: the same cause at the same recipient is one mail. */
  readonly id: string;
  readonly kind: string;
  /** An address. */
  readonly recipient: string;
  /** What it says, in its maker's form, and nothing that only its recipient may know. */
  readonly payload: string;
  readonly createdAt: number;
}

/** A mail that somebody tries to send now. */
export interface ClaimedMail extends Mail {
  /** This one included. */
  readonly attempts: number;
}

/** A mail as operators see it. */
export interface QueuedMail extends ClaimedMail {
  readonly nextAt: number;
  /** Null for one that is tried again. */
  readonly failedAt: number | null;
  readonly failure: string | null;
}

/** How long a mail that somebody sends is nobody else's; said again before that is over. */
export const leaseMs = 30_000;
/** Mails that wait, at the most: whoever asks for more is told to come back. */
export const waitingMax = 10_000;

const columns = "id, kind, recipient, payload, created_at, attempts, next_at, failed_at, failure";

/**
 * Puts a mail into the outbox, to be sent as soon as that is committed; one that is there already stays as it is.
 * @returns false where too many wait.
 */
export async function insertMail(
  { query }: Pick<Transaction, "query">,
  provider: Provider,
  { id, kind, recipient, payload, createdAt }: Mail,
  most = waitingMax,
): Promise<boolean> {
  const rows = await query(
    numbered(
      provider,
      "INSERT INTO latchkey_mail (id, kind, recipient, payload, created_at, next_at, attempts) " +
        "SELECT CAST(? AS text), CAST(? AS text), CAST(? AS text), CAST(? AS text), CAST(? AS bigint), CAST(? AS bigint), 0 " +
        `WHERE (SELECT count(*) FROM latchkey_mail WHERE failed_at IS NULL) < CAST(? AS bigint) ` +
        "ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING 1 AS one",
    ),
    [id, kind, recipient, payload, createdAt, createdAt, most],
  );
  return rows.length > 0;
}

/** When the next mail is due; null where none waits. @throws AppError 503. */
export async function nextMailAt({ read }: Pick<Database, "read">): Promise<number | null> {
  const [row] = await read("SELECT min(next_at) AS at FROM latchkey_mail WHERE failed_at IS NULL", []);
  return row?.["at"] === null || row === undefined ? null : Number(row["at"]);
}

/**
 * Takes mails that are due, the oldest first, until `now + leaseMs`: nobody else takes them until then, and whoever is killed
 * meanwhile has lost none. @throws AppError 503.
 */
export async function claimMails(
  { provider, change }: Pick<Database, "provider" | "change">,
  { now, count }: { readonly now: number; readonly count: number },
): Promise<readonly ClaimedMail[]> {
  const skip = provider === "pg" ? " FOR UPDATE SKIP LOCKED" : "";
  const rows = await change(
    numbered(
      provider,
      "UPDATE latchkey_mail SET next_at = CAST(? AS bigint), attempts = attempts + 1 WHERE id IN (SELECT id FROM latchkey_mail " +
        `WHERE failed_at IS NULL AND next_at <= CAST(? AS bigint) ORDER BY next_at LIMIT CAST(? AS integer)${skip}) RETURNING ${columns}`,
    ),
    [now + leaseMs, now, count],
  );
  return rows.map(mailOf);
}

/** Inside a transaction: whether a mail is still there to be sent, by whoever took it at this attempt. */
export async function isMailHeld(
  { query }: Transaction,
  provider: Provider,
  { id, attempts }: ClaimedMail,
): Promise<boolean> {
  const text = `SELECT 1 AS one FROM latchkey_mail WHERE id = ? AND attempts = ?${provider === "pg" ? " FOR UPDATE" : ""}`;
  return (await query(numbered(provider, text), [id, attempts])).length > 0;
}

/**
 * Forgets a mail that was sent, or is not to be. @param attempts of whoever finds that it is not to be: it may be somebody
 * else's meanwhile. @throws AppError 503.
 */
export async function deleteMail(
  { provider, change }: Pick<Database, "provider" | "change">,
  id: string,
  attempts: number | null = null,
): Promise<boolean> {
  const held = attempts === null ? "" : " AND attempts = ?";
  const text = numbered(provider, `DELETE FROM latchkey_mail WHERE id = ?${held} RETURNING 1 AS one`);
  return (await change(text, attempts === null ? [id] : [id, attempts])).length > 0;
}

/** Keeps mails for whoever sends them, until an instant. @returns the ids of those that were still theirs. @throws AppError 503. */
export async function holdMails(
  { provider, change }: Pick<Database, "provider" | "change">,
  mails: readonly ClaimedMail[],
  until: number,
): Promise<ReadonlySet<string>> {
  if (mails.length === 0) return new Set();
  const pairs = mails.map(() => "(id = ? AND attempts = ?)").join(" OR ");
  // What somebody takes back at this moment is waited for by nobody.
  const skip = provider === "pg" ? " FOR UPDATE SKIP LOCKED" : "";
  const text =
    "UPDATE latchkey_mail SET next_at = CAST(? AS bigint) WHERE id IN " +
    `(SELECT id FROM latchkey_mail WHERE ${pairs}${skip}) RETURNING id`;
  const values = [until, ...mails.flatMap(({ id, attempts }) => [id, attempts])];
  return new Set((await change(numbered(provider, text), values)).map(({ id }) => String(id)));
}

/** Forgets what was given up before an instant. @throws AppError 503. */
export async function forgetFailedMails(
  { provider, change }: Pick<Database, "provider" | "change">,
  before: number,
): Promise<void> {
  await change(numbered(provider, "DELETE FROM latchkey_mail WHERE failed_at < CAST(? AS bigint)"), [before]);
}

/**
 * Has a mail tried again at an instant, by whoever comes then. @param isTry whether the mail server was asked to take it.
 * @throws AppError 503.
 */
export async function postponeMail(
  { provider, change }: Pick<Database, "provider" | "change">,
  { id, attempts }: ClaimedMail,
  {
    nextAt,
    failure,
    isTry,
  }: { readonly nextAt: number; readonly failure: string | null; readonly isTry: boolean },
): Promise<void> {
  await change(
    numbered(
      provider,
      "UPDATE latchkey_mail SET next_at = CAST(? AS bigint), failure = coalesce(CAST(? AS text), failure), " +
        `attempts = attempts${isTry ? "" : " - 1"} WHERE id = ? AND attempts = ?`,
    ),
    [nextAt, failure, id, attempts],
  );
}

/** Gives a mail up: it stays for an operator to see. @throws AppError 503. */
export async function failMail(
  { provider, change }: Pick<Database, "provider" | "change">,
  { id, attempts }: ClaimedMail,
  now: number,
  failure: string,
): Promise<void> {
  await change(
    numbered(
      provider,
      "UPDATE latchkey_mail SET failed_at = CAST(? AS bigint), failure = ? WHERE id = ? AND attempts = ?",
    ),
    [now, failure, id, attempts],
  );
}

/** Inside a transaction: takes back what waits of a kind for somebody, where it has become void. */
export async function withdrawMails(
  { query }: Transaction,
  provider: Provider,
  kinds: readonly string[],
  recipient: string,
): Promise<void> {
  const list = kinds.map(() => "?").join(", ");
  // In one order, so that whoever else takes several rows never waits for one of these, and these for one of theirs.
  const ordered = provider === "pg" ? " ORDER BY id FOR UPDATE" : "";
  const text =
    `DELETE FROM latchkey_mail WHERE id IN (SELECT id FROM latchkey_mail WHERE kind IN (${list}) ` +
    `AND recipient = ? AND failed_at IS NULL${ordered})`;
  await query(numbered(provider, text), [...kinds, recipient]);
}

/** Inside a transaction: what waits of a kind, and has a part in its payload. */
export async function findMails(
  { query }: Transaction,
  provider: Provider,
  kind: string,
  part: string,
): Promise<readonly Mail[]> {
  const text = `SELECT ${columns} FROM latchkey_mail WHERE kind = ? AND failed_at IS NULL AND payload LIKE ?`;
  return (await query(numbered(provider, text), [kind, `%${part}%`])).map(mailOf);
}

/** Inside a transaction: takes a mail back. */
export async function withdrawMail({ query }: Transaction, provider: Provider, id: string): Promise<void> {
  await query(numbered(provider, "DELETE FROM latchkey_mail WHERE id = ?"), [id]);
}

/** What waits and what was given up, the oldest first. @throws AppError 503. */
export async function listMails(
  { provider, read }: Pick<Database, "provider" | "read">,
  count: number,
): Promise<readonly QueuedMail[]> {
  const text = `SELECT ${columns} FROM latchkey_mail ORDER BY created_at, id LIMIT CAST(? AS integer)`;
  return (await read(numbered(provider, text), [count])).map(mailOf);
}

/** How many wait, how many were given up, and since when the oldest waits. @throws AppError 503. */
export async function countMails({ read }: Pick<Database, "read">): Promise<{
  readonly waiting: number;
  readonly failed: number;
  readonly oldestAt: number | null;
}> {
  const [row = {}] = await read(
    "SELECT count(*) AS mails, count(failed_at) AS failed, " +
      "min(CASE WHEN failed_at IS NULL THEN created_at END) AS oldest FROM latchkey_mail",
    [],
  );
  const [all, failed, oldest] = [Number(row["mails"]), Number(row["failed"]), row["oldest"] ?? null];
  return { waiting: all - failed, failed, oldestAt: oldest === null ? null : Number(oldest) };
}

/**
 * Has mails tried again now: one, or every one. What is due within a lease's time stays as it is: somebody may be sending it.
 * @returns how many wait now, those included.
 */
export async function retryMails(
  { provider, change }: Pick<Database, "provider" | "change">,
  id: string | null,
  now: number,
): Promise<number> {
  const values: Parameter[] = [now + leaseMs, now, now, ...(id === null ? [] : [id])];
  const text =
    "UPDATE latchkey_mail SET next_at = CASE WHEN failed_at IS NULL AND next_at <= CAST(? AS bigint) THEN next_at " +
    "ELSE CAST(? AS bigint) END, created_at = CASE WHEN failed_at IS NULL THEN created_at " +
    `ELSE CAST(? AS bigint) END, failed_at = NULL WHERE id IN (SELECT id FROM latchkey_mail${id === null ? "" : " WHERE id = ?"}` +
    `${provider === "pg" ? " ORDER BY id FOR UPDATE" : ""}) RETURNING 1 AS one`;
  return (await change(numbered(provider, text), values)).length;
}

function mailOf(row: Row): QueuedMail {
  const orNull = <T>(value: unknown, read: (value: unknown) => T) =>
    value === null || value === undefined ? null : read(value);
  return {
    id: String(row["id"]),
    kind: String(row["kind"]),
    recipient: String(row["recipient"]),
    payload: String(row["payload"]),
    createdAt: Number(row["created_at"]),
    attempts: Number(row["attempts"]),
    nextAt: Number(row["next_at"]),
    failedAt: orNull(row["failed_at"], Number),
    failure: orNull(row["failure"], String),
  };
}
