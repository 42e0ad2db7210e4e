import { Database } from "bun:sqlite";
import { type Population, seededSession, seededUser } from "./sessions.ts";

/** Fills a migrated, unused SQLite file. Users share one password hash: making one costs what a sign-in costs. */
export function seedSqlite(path: string, population: Population, passwordHash: string): void {
  const database = new Database(path, { readwrite: true, create: false });
  try {
    // What is lost in a crash is seeded again.
    database.run("PRAGMA synchronous = OFF");
    database.run("PRAGMA cache_size = -400000");
    database.transaction(() => {
      const restore = setAside(database);
      insertAll(database, population, passwordHash);
      restore();
    })();
    database.run("PRAGMA wal_checkpoint(TRUNCATE)");
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

function insertAll(database: Database, population: Population, passwordHash: string): void {
  const now = Date.now();
  const insertUser = database.query(
    "INSERT INTO user (id, name, email, email_verified, image, created_at, updated_at) VALUES (?, ?, ?, 0, NULL, ?, ?)",
  );
  const insertAccount = database.query(
    "INSERT INTO account (id, account_id, provider_id, user_id, password, created_at, updated_at) VALUES (?, ?, 'credential', ?, ?, ?, ?)",
  );
  const insertSession = database.query(
    "INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  );
  for (let index = 0; index < population.users; index += 1) {
    const { id, accountId, name, email, createdAt } = seededUser(index, now);
    insertUser.run(id, name, email, createdAt, createdAt);
    insertAccount.run(accountId, id, id, passwordHash, createdAt, createdAt);
  }
  for (let index = 0; index < population.sessions; index += 1) {
    const s = seededSession(index, population, now);
    insertSession.run(
      s.id,
      s.expiresAt,
      s.token,
      s.createdAt,
      s.createdAt,
      s.ipAddress,
      s.userAgent,
      s.userId,
    );
  }
}
