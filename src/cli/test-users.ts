import type { Config } from "../config/config.ts";
import type { Database } from "../database/database.ts";
import { insertTestUsers, type TestUser } from "../database/test-users.ts";
import { sessionCookieName, signToken } from "../session/cookie.ts";

/** A user of a server for tests, as its line on stdout has one. */
interface SeededUser {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly password: string;
  /** `<name>=<value>`, as it stands in a `Cookie` header: a live session of this user. */
  readonly cookie: string;
}

/** Everybody's. No list of common ones has it. */
const password = "correct horse battery";
/** BetterAuth's own ids and tokens. */
const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const idLength = 32;

/**
 * Makes users who are signed in: `user1@example.com`, `User 1` and so on, with one password, which is hashed once.
 * @param now in ms since the epoch.
 */
export function createTestUsers(count: number, config: Config, now: number) {
  const [secret = ""] = config.secrets;
  const cookieName = sessionCookieName(config.secure);
  const made = Array.from({ length: count }, (_, at) => ({
    id: randomId(),
    email: `user${at + 1}@example.com`,
    name: `User ${at + 1}`,
    accountId: randomId(),
    sessionId: randomId(),
    sessionToken: randomId(),
  }));
  const users: readonly SeededUser[] = made.map(({ id, email, name, sessionToken }) => ({
    id,
    email,
    name,
    password,
    cookie: `${cookieName}=${signToken(sessionToken, secret)}`,
  }));
  return {
    users,
    /** @param hash hashes a password as sign-ups do. */
    async insert(database: Database, hash: (password: string) => Promise<string>): Promise<void> {
      const passwordHash = await hash(password);
      const rows = made.map((user): TestUser => ({ ...user, passwordHash }));
      const transaction = await database.begin();
      try {
        await insertTestUsers(transaction, rows, {
          now,
          expiresAt: now + config.sessionExpiresInSeconds * 1_000,
        });
        await transaction.commit();
      } finally {
        await transaction.rollback();
      }
    },
  };
}

function randomId(): string {
  // A few letters come a little more often: nobody guesses at a server for tests.
  const bytes = crypto.getRandomValues(new Uint8Array(idLength));
  return Array.from(bytes, (byte) => alphabet[byte % alphabet.length]).join("");
}
