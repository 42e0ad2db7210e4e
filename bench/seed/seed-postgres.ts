import { SQL } from "bun";
import { argon2idHash } from "./password-hash.ts";
import {
  type Population,
  type SeededSession,
  type SeededUser,
  seededSession,
  seededUser,
} from "./sessions.ts";

const batchSize = 5_000;

/** Fills a migrated, unused PostgreSQL database. */
export async function seedPostgres(url: string, population: Population): Promise<void> {
  const sql = new SQL(url, { max: 1 });
  const now = Date.now();
  try {
    for (const users of batches(population.users, (index) => seededUser(index, now))) {
      await insertUsers(sql, users);
      await insertAccounts(sql, users, await argon2idHash());
    }
    for (const sessions of batches(population.sessions, (index) => seededSession(index, population, now))) {
      await insertSessions(sql, sessions);
    }
    await sql.unsafe("ANALYZE");
  } finally {
    await sql.close();
  }
}

function* batches<T>(count: number, make: (index: number) => T): Generator<T[]> {
  for (let start = 0; start < count; start += batchSize) {
    yield Array.from({ length: Math.min(batchSize, count - start) }, (_, offset) => make(start + offset));
  }
}

async function insertUsers(sql: SQL, users: readonly SeededUser[]): Promise<void> {
  await sql.unsafe(
    `INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at)
     SELECT id, name, email, false, to_timestamp("createdAt" / 1000.0), to_timestamp("createdAt" / 1000.0)
     FROM json_to_recordset($1::text::json) AS row (id text, name text, email text, "createdAt" float8)`,
    [JSON.stringify(users)],
  );
}

async function insertAccounts(sql: SQL, users: readonly SeededUser[], passwordHash: string): Promise<void> {
  await sql.unsafe(
    `INSERT INTO account (id, account_id, provider_id, user_id, password, created_at, updated_at)
     SELECT "accountId", id, 'credential', id, $2, to_timestamp("createdAt" / 1000.0), to_timestamp("createdAt" / 1000.0)
     FROM json_to_recordset($1::text::json) AS row (id text, "accountId" text, "createdAt" float8)`,
    [JSON.stringify(users), passwordHash],
  );
}

async function insertSessions(sql: SQL, sessions: readonly SeededSession[]): Promise<void> {
  await sql.unsafe(
    `INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id)
     SELECT id, to_timestamp("expiresAt" / 1000.0), token, to_timestamp("createdAt" / 1000.0),
       to_timestamp("createdAt" / 1000.0), "ipAddress", "userAgent", "userId"
     FROM json_to_recordset($1::text::json) AS row (id text, "expiresAt" float8, token text, "createdAt" float8,
       "ipAddress" text, "userAgent" text, "userId" text)`,
    [JSON.stringify(sessions)],
  );
}
