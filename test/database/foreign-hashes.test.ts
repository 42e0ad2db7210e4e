import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { addKind, foreignHashText, watchForeignHashes } from "../../src/database/foreign-hashes.ts";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { openMigrated } from "../support/open-database.ts";

setDefaultTimeout(60_000);

const accounts = 20_000;

describe.each(dialects)("watchForeignHashes on %s", (dialect) => {
  test("reads the index for it, not all accounts, and finds the one that has another hash", async () => {
    const outside = await openTestDatabase(dialect);
    const database = await openMigrated(outside);
    const isSqlite = dialect === "sqlite";
    const numbers = isSqlite
      ? `(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${accounts}) SELECT i FROM n)`
      : `generate_series(1, ${accounts}) AS n(i)`;
    await outside.query(`INSERT INTO "user" (id, name, email) VALUES ('u', 'U', 'u@example.com')`);
    await outside.query(
      `INSERT INTO account (id, account_id, provider_id, user_id, password, updated_at)
       SELECT 'a' || i, 'a' || i, 'credential', 'u', '$argon2id$', ${isSqlite ? "0" : "now()"} FROM ${numbers}`,
    );
    await outside.query("ANALYZE");
    const plan = await outside.query(`EXPLAIN ${isSqlite ? "QUERY PLAN " : ""}${foreignHashText}`);
    expect(JSON.stringify(plan)).toContain("account_foreign_hash_idx");
    expect(JSON.stringify(plan)).not.toContain("Seq Scan");

    const hashes = watchForeignHashes(database);
    expect(await hashes.kinds()).toEqual([]);
    await outside.query("UPDATE account SET password = 'salt:key' WHERE id = 'a777'");
    expect(await hashes.kinds()).toEqual(["scrypt"]);
    const transaction = await database.begin();
    for (const kind of ["$2b$10$", "scrypt", "$2b$10$"])
      await addKind(transaction, database.provider, kind, Date.now());
    await transaction.commit();
    expect((await hashes.kinds()).toSorted()).toEqual(["$2b$10$", "scrypt"]);
    await outside.query("UPDATE account SET password = '$argon2id$' WHERE id = 'a777'");
    expect(await hashes.kinds()).toEqual([]);
    await database.close();
    await outside.close();
  });
});
