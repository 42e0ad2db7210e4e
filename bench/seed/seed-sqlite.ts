import { Database } from "bun:sqlite";
import { identifierSql } from "./identifiers.ts";
import { digits, endedMs, ipAddress, type Population, sessionMs, userAgent } from "./sessions.ts";

/** Pages kept in memory, in KiB: an index of ten million random texts is filled in any order. */
const cacheKib = 1_500_000;

/** Fills a migrated, unused SQLite file. Users share one password hash: making one costs what a sign-in costs. */
export function seedSqlite(path: string, population: Population, passwordHash: string): void {
  const database = new Database(path, { readwrite: true, create: false });
  try {
    // What is lost in a crash is seeded again: nothing is written twice.
    for (const pragma of ["journal_mode = OFF", "synchronous = OFF", `cache_size = -${cacheKib}`])
      database.run(`PRAGMA ${pragma}`);
    database.transaction(() => {
      const restore = setAside(database);
      insertAll(database, population, passwordHash);
      restore();
    })();
    database.run("PRAGMA journal_mode = WAL");
  } finally {
    database.close();
  }
}

/** Drops indexes and triggers, which cost a million inserts more than the rows do. @returns what makes them anew. */
function setAside(database: Database): () => void {
  const found = database
    .query<{ type: string; name: string; sql: string }, []>(
      "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL",
    )
    .all();
  for (const { type, name } of found) database.run(`DROP ${type} "${name}"`);
  return () => {
    for (const { sql } of found) database.run(sql);
  };
}

function insertAll(
  database: Database,
  { users, sessions, ended = 0 }: Population,
  passwordHash: string,
): void {
  const now = Date.now();
  const id = (kind: Parameters<typeof identifierSql>[1], index = "i") => identifierSql("sqlite", kind, index);
  const number = `printf('%0${digits}d', i)`;
  const rows = (count: number) =>
    `WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < ${count})`;
  database.run(
    `INSERT INTO user (id, name, email, email_verified, image, created_at, updated_at) ${rows(users)}
     SELECT ${id("user")}, 'Visitor ' || ${number}, 'visitor-' || ${number} || '@example.com', 0, NULL, ?1 - i, ?1 - i
     FROM numbers`,
    [now],
  );
  database.run(
    `INSERT INTO account (id, account_id, provider_id, user_id, password, created_at, updated_at) ${rows(users)}
     SELECT ${id("account")}, ${id("user")}, 'credential', ${id("user")}, ?2, ?1 - i, ?1 - i FROM numbers`,
    [now, passwordHash],
  );
  database.run(
    `INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id) ${rows(sessions)}
     SELECT ${id("session")}, CASE WHEN i < ?2 THEN ?1 + ?3 ELSE ?1 - ?4 END, ${id("token")}, ?1, ?1, ?5, ?6,
       ${id("user", `i % ${users}`)} FROM numbers`,
    [now, sessions - ended, sessionMs, endedMs, ipAddress, userAgent],
  );
}
