import { SQL, type TransactionSQL } from "bun";
import { identifierSql } from "./identifiers.ts";
import { argon2idHash } from "./password-hash.ts";
import { digits, endedMs, ipAddress, type Population, sessionMs, userAgent } from "./sessions.ts";

/** Fills a migrated, unused PostgreSQL database. Users share one password hash: making one costs what a sign-in costs. */
export async function seedPostgres(url: string, population: Population): Promise<void> {
  const sql = new SQL(url, { max: 1 });
  const passwordHash = await argon2idHash();
  try {
    await sql.begin(async (transaction) => {
      await transaction.unsafe("SET LOCAL maintenance_work_mem = '512MB'");
      // Emptied in this transaction, the tables are written without a log where wal_level is minimal.
      await transaction.unsafe('TRUNCATE session, account, "user" CASCADE');
      const restore = await setAside(transaction);
      await insertAll(transaction, population, passwordHash);
      for (const statement of restore) await transaction.unsafe(statement);
    });
    await sql.unsafe("VACUUM ANALYZE");
    await sql.unsafe("CHECKPOINT").catch(() => {
      // For roles that may: else the server writes its pages while it is measured.
    });
  } finally {
    await sql.close();
  }
}

/** Drops keys and indexes, which cost ten million inserts more than the rows do. @returns the statements that make them anew. */
async function setAside(sql: TransactionSQL): Promise<string[]> {
  const relations = `('session'::regclass, 'account'::regclass, '"user"'::regclass)`;
  // Foreign keys lean on primary ones: dropped before, made anew after.
  const keys: { relation: string; name: string; definition: string; type: string }[] = await sql.unsafe(
    `SELECT conrelid::regclass::text AS relation, quote_ident(conname) AS name, pg_get_constraintdef(oid) AS definition, contype::text AS type
     FROM pg_constraint WHERE (conrelid IN ${relations} OR confrelid IN ${relations}) AND contype IN ('f', 'p', 'u') ORDER BY contype = 'f' DESC, conname`,
  );
  for (const { relation, name } of keys) await sql.unsafe(`ALTER TABLE ${relation} DROP CONSTRAINT ${name}`);
  const indexes: { name: string; definition: string }[] = await sql.unsafe(
    `SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index WHERE indrelid IN ${relations}`,
  );
  for (const { name } of indexes) await sql.unsafe(`DROP INDEX ${name}`);
  const add = ({ relation, name, definition }: (typeof keys)[number]) =>
    `ALTER TABLE ${relation} ADD CONSTRAINT ${name} ${definition}`;
  return [
    ...keys.filter(({ type }) => type !== "f").map(add),
    ...indexes.map(({ definition }) => definition),
    ...keys.filter(({ type }) => type === "f").map(add),
  ];
}

async function insertAll(
  sql: TransactionSQL,
  { users, sessions, ended = 0 }: Population,
  passwordHash: string,
): Promise<void> {
  const id = (kind: Parameters<typeof identifierSql>[1], index = "i") =>
    identifierSql("postgres", kind, index);
  const number = `lpad(i::text, ${digits}, '0')`;
  const rows = (count: number) => `generate_series(0::bigint, ${count - 1}) AS i`;
  const made = "now() - i * interval '1 millisecond'";
  await sql.unsafe(
    `INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at)
     SELECT ${id("user")}, 'Visitor ' || ${number}, 'visitor-' || ${number} || '@example.com', false, ${made}, ${made}
     FROM ${rows(users)}`,
  );
  await sql.unsafe(
    `INSERT INTO account (id, account_id, provider_id, user_id, password, created_at, updated_at)
     SELECT ${id("account")}, ${id("user")}, 'credential', ${id("user")}, $1, ${made}, ${made} FROM ${rows(users)}`,
    [passwordHash],
  );
  await sql.unsafe(
    `INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id)
     SELECT ${id("session")}, now() + CASE WHEN i < ${sessions - ended} THEN interval '${sessionMs} milliseconds'
       ELSE interval '-${endedMs} milliseconds' END, ${id("token")}, now(), now(), $1, $2, ${id("user", `i % ${users}`)}
     FROM ${rows(sessions)}`,
    [ipAddress, userAgent],
  );
}
