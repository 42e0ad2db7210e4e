import type { Database, Transaction } from "./database.ts";
import { numbered } from "./numbered.ts";
import { takeToken } from "./one-time-tokens.ts";

/** What a unit read outside its transaction and acts on inside it. */
export interface Premises {
  /** Whose session or account it is. */
  userId?: string;
  /** The session that asks; not of routes that need none. */
  token?: string;
  /** The stored hash that a password was verified against; the user must not have been locked since. */
  credential?: string;
  /** An invitation that it uses up: of two at once, one does. */
  invitation?: { readonly id: string; readonly now: number };
}

/** Another request changed, between this one's reading and its writing, what this one acts on. */
export class PremiseLost extends Error {
  override readonly name = "PremiseLost";
}

/**
 * Requires, at the start of a transaction, that what was read before it still holds; and on a server locks the user's
 * row, so that it holds until the end: whoever changes a user's sessions or password does so one after another. SQLite
 * has one writer anyway.
 * @throws PremiseLost.
 */
export async function requirePremises(
  transaction: Transaction,
  provider: Database["provider"],
  { userId, token, credential, invitation }: Premises,
): Promise<void> {
  const { query } = transaction;
  if (invitation !== undefined) {
    const taken = await takeToken(transaction, provider, invitation.id, invitation.now);
    if (taken === undefined) throw new PremiseLost();
  }
  const mustFind = async (text: string, ...values: string[]) => {
    const rows = await query(numbered(provider, text), values);
    if (rows.length === 0) throw new PremiseLost();
  };
  if (userId === undefined) return;
  // A lock of its own, before the rest: what a statement reads that waited for a lock may be older than the lock.
  await mustFind(
    `SELECT 1 AS one FROM "user" WHERE id = ?${provider === "pg" ? " FOR NO KEY UPDATE" : ""}`,
    userId,
  );
  if (token !== undefined) await mustFind("SELECT 1 AS one FROM session WHERE token = ?", token);
  if (credential !== undefined) {
    // One statement for both: on a server each is a round trip of every sign-in.
    const text =
      "SELECT 1 AS one FROM account WHERE user_id = ? AND provider_id = 'credential' AND password = ? " +
      "AND NOT EXISTS (SELECT 1 FROM latchkey_lock WHERE user_id = account.user_id)";
    await mustFind(text, userId, credential);
  }
}
