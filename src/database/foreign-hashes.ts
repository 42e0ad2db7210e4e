import type { Database, Transaction } from "./database.ts";

/** Which kinds of password hashes are in a database that neither latchkey made nor BetterAuth of today would. */
export interface ForeignHashes {
  /** As the database says now; as it last said, where it cannot be asked. Never rejects. */
  kinds(): Promise<readonly string[]>;
}

/** What adopted accounts have: BetterAuth's own. */
const adopted: readonly string[] = ["scrypt"];
/** Of the rows of `verification` that name the kinds which imports brought. They outlive everybody. */
const identifier = "latchkey:password-kind";
const never = Date.UTC(9999, 0);

export function watchForeignHashes(database: Database): ForeignHashes {
  let known = adopted;
  return {
    async kinds() {
      known = await findKinds(database).catch(() => known);
      return known;
    },
  };
}

/**
 * Finds an account with another kind of hash. PostgreSQL takes nearly all rows for ones: without an order it reads the
 * whole table for the first (100 ms of 500,000 accounts), while the index, which is empty, has them in this one.
 */
export const foreignHashText =
  "SELECT id FROM account WHERE substr(password, 1, 1) <> '$' ORDER BY id LIMIT 1";

/** The kinds that imports brought, or the adopted one; none where no hash is left of any. */
export async function findKinds({
  read,
  provider,
}: Pick<Database, "read" | "provider">): Promise<readonly string[]> {
  if ((await read(foreignHashText, [])).length === 0) return [];
  const first = provider === "pg" ? "$1" : "?";
  const rows = await read(`SELECT value FROM verification WHERE identifier = ${first}`, [identifier]);
  return rows.length === 0 ? adopted : rows.map((row) => String(row["value"]));
}

/** Writes down that a kind is there, before the first hash of it is. */
export async function addKind(
  { query }: Pick<Transaction, "query">,
  provider: Database["provider"],
  kind: string,
  now: number,
): Promise<void> {
  const [at, instant] =
    provider === "pg"
      ? [(n: number) => `$${n}`, (n: number) => `to_timestamp($${n}::float8 / 1000)`]
      : [(n: number) => `?${n}`, (n: number) => `?${n}`];
  await query(
    "INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at) " +
      `VALUES (${at(1)}, ${at(2)}, ${at(3)}, ${instant(4)}, ${instant(5)}, ${instant(5)}) ON CONFLICT DO NOTHING`,
    [`${identifier}:${kind}`, identifier, kind, never, now],
  );
}
