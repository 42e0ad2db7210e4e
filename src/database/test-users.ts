import type { Transaction } from "./database.ts";

/** A user with a password and one session, as a sign-up leaves them. */
export interface TestUser {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly passwordHash: string;
  readonly accountId: string;
  readonly sessionId: string;
  readonly sessionToken: string;
}

/** Instants in ms since the epoch. */
interface TestSessions {
  readonly now: number;
  readonly expiresAt: number;
}

/** The users, as `json_each` gives them. */
const each = `FROM json_each(?1)`;
const of = (field: keyof TestUser) => `json_extract(value, '$.${field}')`;

/**
 * Inserts users with their sessions into SQLite, three statements for however many: what BetterAuth writes, without waiting
 * until it is loaded.
 */
export async function insertTestUsers(
  { query }: Pick<Transaction, "query">,
  users: readonly TestUser[],
  { now, expiresAt }: TestSessions,
): Promise<void> {
  const list = JSON.stringify(users);
  await query(
    `INSERT INTO user (id, name, email, email_verified, created_at, updated_at) ` +
      `SELECT ${of("id")}, ${of("name")}, ${of("email")}, 0, ?2, ?2 ${each}`,
    [list, now],
  );
  await query(
    `INSERT INTO account (id, account_id, provider_id, user_id, password, created_at, updated_at) ` +
      `SELECT ${of("accountId")}, ${of("id")}, 'credential', ${of("id")}, ${of("passwordHash")}, ?2, ?2 ${each}`,
    [list, now],
  );
  await query(
    `INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id) ` +
      `SELECT ${of("sessionId")}, ?3, ${of("sessionToken")}, ?2, ?2, '127.0.0.1', '', ${of("id")} ${each}`,
    [list, now, expiresAt],
  );
}
