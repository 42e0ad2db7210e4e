import type { Database, Parameter, Row, Transaction } from "./database.ts";
import type { User } from "./users.ts";

/** A user to insert, and the hash of the password; null for none. */
export interface NewUser extends User {
  readonly accountId: string;
  readonly password: string | null;
}

/** Who has an id or an address already. */
export interface Holder {
  readonly id: string;
  readonly email: string;
  /** The stored hash; null where there is no password. */
  readonly password: string | null;
}

/** How the two dialects take a list of users out of one parameter. */
const dialects = {
  sqlite: {
    list:
      "(SELECT " +
      [
        "id",
        "email",
        "name",
        "emailVerified",
        "image",
        "createdAt",
        "updatedAt",
        "lockedAt",
        "accountId",
        "password",
      ]
        .map((field) => `json_extract(value, '$.${field}') AS "${field}"`)
        .join(", ") +
      " FROM json_each(?1)) AS r",
    instant: (column: string) => column,
    texts: (at: number) => `(SELECT value FROM json_each(?${at}))`,
  },
  pg: {
    list:
      'json_to_recordset($1::text::json) AS r(id text, email text, name text, "emailVerified" boolean, image text, ' +
      '"createdAt" float8, "updatedAt" float8, "lockedAt" float8, "accountId" text, password text)',
    instant: (column: string) => `to_timestamp(${column} / 1000)`,
    texts: (at: number) => `(SELECT json_array_elements_text($${at}::text::json))`,
  },
} as const;

type Query = (text: string, parameters: readonly Parameter[]) => Promise<Row[]>;

/**
 * Inserts users with their accounts and locks, a statement each for however many, and leaves out those whose id or address somebody
 * has, be it by a transaction that commits meanwhile. @returns the ids that were inserted.
 */
export async function insertUsers(
  { query }: Pick<Transaction, "query">,
  provider: Database["provider"],
  users: readonly NewUser[],
): Promise<ReadonlySet<string>> {
  const { list, instant } = dialects[provider];
  const made = await query(
    `INSERT INTO "user" (id, name, email, email_verified, image, created_at, updated_at) ` +
      `SELECT r.id, r.name, r.email, r."emailVerified", r.image, ${instant('r."createdAt"')}, ${instant('r."updatedAt"')} ` +
      `FROM ${list} WHERE true ON CONFLICT DO NOTHING RETURNING id`,
    [JSON.stringify(users)],
  );
  const ids = new Set(made.map((row) => String(row["id"])));
  const withPassword = users.filter(({ id, password }) => password !== null && ids.has(id));
  if (withPassword.length > 0)
    await query(
      "INSERT INTO account (id, account_id, provider_id, user_id, password, created_at, updated_at) " +
        `SELECT r."accountId", r.id, 'credential', r.id, r.password, ${instant('r."createdAt"')}, ${instant('r."updatedAt"')} ` +
        `FROM ${list}`,
      [JSON.stringify(withPassword)],
    );
  const locked = users.filter(({ id, lockedAt }) => lockedAt !== null && ids.has(id));
  if (locked.length > 0)
    await query(`INSERT INTO latchkey_lock (user_id, locked_at) SELECT r.id, r."lockedAt" FROM ${list}`, [
      JSON.stringify(locked),
    ]);
  return ids;
}

/** Finds who has one of these ids or addresses. */
export async function findHolders(
  query: Query,
  provider: Database["provider"],
  users: readonly Pick<NewUser, "id" | "email">[],
): Promise<readonly Holder[]> {
  if (users.length === 0) return [];
  const { texts } = dialects[provider];
  const rows = await query(
    `SELECT u.id, u.email, (SELECT a.password FROM account a WHERE a.user_id = u.id AND a.provider_id = 'credential' LIMIT 1) AS password ` +
      `FROM "user" u WHERE u.id IN ${texts(1)} OR u.email IN ${texts(2)}`,
    [JSON.stringify(users.map(({ id }) => id)), JSON.stringify(users.map(({ email }) => email))],
  );
  return rows.map((row) => ({
    id: String(row["id"]),
    email: String(row["email"]),
    password: typeof row["password"] === "string" ? row["password"] : null,
  }));
}

/** Has PostgreSQL count its tables anew: it plans by what it last counted. SQLite goes by its unique indexes alone. */
export async function countAnew({ provider, change }: Database): Promise<void> {
  if (provider === "pg") await change('ANALYZE "user", account', []);
}
