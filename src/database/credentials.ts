import type { Database, Transaction } from "./database.ts";
import { isUniqueViolation } from "./store-error.ts";
import { dialects, textOrNull } from "./users.ts";

type Provider = Database["provider"];

/** Notes that a user has the address. */
export async function setVerified(
  { query }: Transaction,
  provider: Provider,
  userId: string,
  now: number,
): Promise<void> {
  const { at, instant, isFalse } = dialects[provider];
  await query(
    `UPDATE "user" SET email_verified = NOT ${isFalse}, updated_at = ${instant(at(2))} ` +
      `WHERE id = ${at(1)} AND email_verified = ${isFalse}`,
    [userId, now],
  );
}

/** Sets an address that the user was seen to have. @returns false where somebody else has it, also since this moment. */
export async function setVerifiedEmail(
  { query }: Transaction,
  provider: Provider,
  userId: string,
  email: string,
  now: number,
): Promise<boolean> {
  const { at, instant, isFalse } = dialects[provider];
  try {
    const rows = await query(
      `UPDATE "user" SET email = ${at(2)}, email_verified = NOT ${isFalse}, updated_at = ${instant(at(3))} ` +
        `WHERE id = ${at(1)} AND NOT EXISTS (SELECT 1 FROM "user" o WHERE o.email = ${at(2)} AND o.id <> ${at(1)}) ` +
        "RETURNING 1 AS one",
      [userId, email, now],
    );
    return rows.length > 0;
  } catch (error) {
    if (isUniqueViolation(error)) return false;
    throw error;
  }
}

/** What somebody signs in with, and whom that password must not name. */
export interface UserCredential {
  readonly userId: string;
  readonly email: string;
  readonly emailVerified: boolean;
  readonly name: string;
  /** The hash; null where there is none. */
  readonly password: string | null;
}

/** Of a user who is not locked; undefined of one who is, or who is not there. */
export async function findCredential(
  { query }: Pick<Transaction, "query">,
  provider: Provider,
  userId: string,
): Promise<UserCredential | undefined> {
  const [row] = await query(
    'SELECT u.email, u.name, u.email_verified, a.password FROM "user" u ' +
      "LEFT JOIN account a ON a.user_id = u.id AND a.provider_id = 'credential' " +
      `WHERE u.id = ${dialects[provider].at(1)} ` +
      "AND NOT EXISTS (SELECT 1 FROM latchkey_lock l WHERE l.user_id = u.id) ORDER BY a.id",
    [userId],
  );
  if (row === undefined) return undefined;
  const { email, name, password } = row;
  return {
    userId,
    email: String(email),
    emailVerified: Boolean(row["email_verified"]),
    name: String(name),
    password: textOrNull(password),
  };
}

/** Sets the password's hash, and where the user has no account to keep one makes that, too. */
export async function setCredential(
  { query }: Transaction,
  provider: Provider,
  userId: string,
  hash: string,
  now: number,
): Promise<void> {
  const { at, instant } = dialects[provider];
  const rows = await query(
    `UPDATE account SET password = ${at(2)}, updated_at = ${instant(at(3))} ` +
      `WHERE user_id = ${at(1)} AND provider_id = 'credential' RETURNING 1 AS one`,
    [userId, hash, now],
  );
  if (rows.length > 0) return;
  await query(
    "INSERT INTO account (id, account_id, provider_id, user_id, password, created_at, updated_at) " +
      `VALUES (${at(1)}, ${at(2)}, 'credential', ${at(2)}, ${at(3)}, ${instant(at(4))}, ${instant(at(4))})`,
    [crypto.randomUUID().replaceAll("-", ""), userId, hash, now],
  );
}
