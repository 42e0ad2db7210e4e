import type { Database, Parameter, Row, Transaction } from "./database.ts";
import { caseBlindPattern } from "./case-blind.ts";

/** A user as operators see one. Instants are in ms since the epoch. */
export interface User {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly emailVerified: boolean;
  readonly image: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Since when nobody signs in as this user; null where they may. */
  readonly lockedAt: number | null;
}

/** With when the newest session that is still kept was made. */
export interface ListedUser extends User {
  readonly lastSessionAt: number | null;
}

/** A session's row; it may have ended. Instants are in ms since the epoch. */
export interface UserSession {
  readonly id: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly expiresAt: number;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
}

export interface UserQuery {
  /** A part of an e-mail address or a name, in whichever case; undefined for everybody. */
  readonly search: string | undefined;
  readonly limit: number;
  /** The last user of the page before, as its cursor says. */
  readonly after: Position | undefined;
}

/** A user's place among all: when it was made, in the database's own precision, and its id. */
export interface Position {
  readonly made: number;
  readonly id: string;
}

export interface UserPage {
  readonly users: readonly ListedUser[];
  /** Undefined on the last page. */
  readonly next: Position | undefined;
}

type Provider = Database["provider"];

/** What the two dialects write differently. */
export const dialects = {
  sqlite: {
    at: (parameter: number) => `?${parameter}`,
    milliseconds: (column: string) => column,
    made: "u.created_at",
    madeOf: (parameter: string) => parameter,
    instant: (parameter: string) => parameter,
    matches: (column: string, parameter: string) => `${column} GLOB ${parameter}`,
    isFalse: "0",
  },
  pg: {
    at: (parameter: number) => `$${parameter}`,
    milliseconds: (column: string) => `floor(date_part('epoch', ${column}) * 1000)`,
    // A double has every microsecond until 2255.
    made: "round(date_part('epoch', u.created_at) * 1000000)",
    madeOf: (parameter: string) => `(timestamptz 'epoch' + ${parameter}::float8 * interval '1 microsecond')`,
    instant: (parameter: string) => `to_timestamp(${parameter}::float8 / 1000)`,
    matches: (column: string, parameter: string) => `${column} ~ ${parameter}::text`,
    isFalse: "false",
  },
} as const;

/** What `userOf` reads, of a table that goes by `u`. */
export function userColumns(provider: Provider): string {
  const { milliseconds } = dialects[provider];
  return (
    "u.id, u.email, u.name, u.email_verified, u.image, " +
    `${milliseconds("u.created_at")} AS created_at, ${milliseconds("u.updated_at")} AS updated_at, ` +
    "(SELECT l.locked_at FROM latchkey_lock l WHERE l.user_id = u.id) AS locked_at"
  );
}

export function userOf(row: Row): User {
  return {
    id: String(row["id"]),
    email: String(row["email"]),
    name: String(row["name"]),
    emailVerified: Boolean(row["email_verified"]),
    image: textOrNull(row["image"]),
    createdAt: Number(row["created_at"]),
    updatedAt: Number(row["updated_at"]),
    lockedAt: numberOrNull(row["locked_at"]),
  };
}

function numberOrNull(value: unknown): number | null {
  return value === null ? null : Number(value);
}

export function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Finds a user by id, or else by the stored form of an e-mail address. */
export async function findUser(
  { provider, read }: Pick<Database, "provider" | "read">,
  id: string,
  email: string | undefined,
): Promise<User | undefined> {
  const { at } = dialects[provider];
  const rows = await read(
    `SELECT ${userColumns(provider)} FROM "user" u WHERE u.id = ${at(1)} OR u.email = ${at(2)}`,
    [id, email ?? id],
  );
  const users = rows.map(userOf);
  return users.find((user) => user.id === id) ?? users[0];
}

/** A page of users, the newest first: whoever is added meanwhile moves nobody to another page. */
export async function listUsers(
  { provider, read }: Database,
  { search, limit, after }: UserQuery,
): Promise<UserPage> {
  const { at, milliseconds, made, madeOf, matches } = dialects[provider];
  const parameters: Parameter[] = [limit + 1];
  const add = (parameter: Parameter) => at(parameters.push(parameter));
  const conditions: string[] = [];
  if (search !== undefined) {
    const pattern = add(caseBlindPattern(provider, search));
    conditions.push(`(${matches("u.email", pattern)} OR ${matches("u.name", pattern)})`);
  }
  if (after !== undefined)
    conditions.push(`(u.created_at, u.id) < (${madeOf(add(after.made))}, ${add(after.id)})`);
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")} `;
  const last = milliseconds("(SELECT max(s.created_at) FROM session s WHERE s.user_id = u.id)");
  const rows = await read(
    `SELECT ${userColumns(provider)}, ${made} AS made, ${last} AS last_session_at FROM "user" u ${where}` +
      `ORDER BY u.created_at DESC, u.id DESC LIMIT ${at(1)}${provider === "pg" ? "::int" : ""}`,
    parameters,
  );
  const page = rows.slice(0, limit);
  const last_ = page.at(-1);
  return {
    users: page.map((row) => ({
      ...userOf(row),
      lastSessionAt: numberOrNull(row["last_session_at"]),
    })),
    next:
      rows.length > limit && last_ !== undefined
        ? { made: Number(last_["made"]), id: String(last_["id"]) }
        : undefined,
  };
}

function sessionColumns(provider: Provider): string {
  const { milliseconds } = dialects[provider];
  const instants = ["created_at", "updated_at", "expires_at"];
  return `id, ip_address, user_agent, ${instants.map((column) => `${milliseconds(column)} AS ${column}`).join(", ")}`;
}

function sessionOf(row: Row): UserSession {
  return {
    id: String(row["id"]),
    createdAt: Number(row["created_at"]),
    updatedAt: Number(row["updated_at"]),
    expiresAt: Number(row["expires_at"]),
    ipAddress: textOrNull(row["ip_address"]),
    userAgent: textOrNull(row["user_agent"]),
  };
}

/** Every session that is kept of a user, the newest first. */
export async function sessionsOf(
  { provider, read }: Database,
  userId: string,
): Promise<readonly UserSession[]> {
  const rows = await read(
    `SELECT ${sessionColumns(provider)} FROM session WHERE user_id = ${dialects[provider].at(1)} ` +
      "ORDER BY session.created_at DESC, id DESC",
    [userId],
  );
  return rows.map(sessionOf);
}

export async function hasPassword({ provider, read }: Database, userId: string): Promise<boolean> {
  const rows = await read(
    `SELECT 1 AS one FROM account WHERE user_id = ${dialects[provider].at(1)} AND provider_id = 'credential' ` +
      "AND password IS NOT NULL",
    [userId],
  );
  return rows.length > 0;
}

/** Deletes the sessions of a user, or one of them. @returns what was deleted. */
export async function deleteSessions(
  { query }: Transaction,
  provider: Provider,
  userId: string,
  sessionId?: string,
): Promise<readonly UserSession[]> {
  const { at } = dialects[provider];
  const one = sessionId === undefined ? "" : ` AND id = ${at(2)}`;
  const rows = await query(
    `DELETE FROM session WHERE user_id = ${at(1)}${one} RETURNING ${sessionColumns(provider)}`,
    sessionId === undefined ? [userId] : [userId, sessionId],
  );
  return rows.map(sessionOf);
}

/** Deletes a user and the accounts; the sessions before them, also where no foreign key does it. @returns those. */
export async function deleteUser(
  transaction: Transaction,
  provider: Provider,
  userId: string,
): Promise<readonly UserSession[]> {
  const { at } = dialects[provider];
  const sessions = await deleteSessions(transaction, provider, userId);
  await transaction.query(`DELETE FROM account WHERE user_id = ${at(1)}`, [userId]);
  await transaction.query(`DELETE FROM "user" WHERE id = ${at(1)}`, [userId]);
  return sessions;
}

/** Sets the name, or the e-mail address, which nobody has shown to be theirs then. */
export async function updateUser(
  { query }: Transaction,
  provider: Provider,
  userId: string,
  change: { readonly name: string } | { readonly email: string },
  now: number,
): Promise<void> {
  const { at, instant, isFalse } = dialects[provider];
  const set = "name" in change ? `name = ${at(2)}` : `email = ${at(2)}, email_verified = ${isFalse}`;
  await query(`UPDATE "user" SET ${set}, updated_at = ${instant(at(3))} WHERE id = ${at(1)}`, [
    userId,
    "name" in change ? change.name : change.email,
    now,
  ]);
}
