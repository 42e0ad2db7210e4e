import { SQL } from "bun";
import { expect, setDefaultTimeout, test } from "bun:test";
import { batchLookup } from "../../../src/database/sessions/lookup.ts";
import { openTestDatabase } from "../../support/databases.ts";
import { openMigrated } from "../../support/open-database.ts";

setDefaultTimeout(60_000);

test("a lookup that was prepared while the tables were empty reads none of them whole when they have grown", async () => {
  const outside = await openTestDatabase("postgres");
  const database = await openMigrated(outside);
  // It counts the rows within a minute, where it may, and plans anew.
  for (const table of ["session", '"user"'])
    await outside.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  await using sql = new SQL({ url: outside.url, max: 1 });
  await sql.unsafe(`PREPARE look(text[]) AS ${batchLookup}`);
  // After five of its own, PostgreSQL keeps one plan for all.
  for (let time = 0; time < 10; time += 1) await sql.unsafe("EXECUTE look('{t1,t2}')");
  const numbers = "generate_series(1, 20000) AS n(i)";
  await outside.query(
    `INSERT INTO "user" (id, name, email) SELECT 'u' || i, 'n', 'u' || i || '@example.com' FROM ${numbers}`,
  );
  await outside.query(
    `INSERT INTO session (id, token, user_id, expires_at) SELECT 's' || i, 't' || i, 'u' || i, now() FROM ${numbers}`,
  );
  const [kept] = await sql.unsafe("SELECT generic_plans FROM pg_prepared_statements WHERE name = 'look'");
  expect(Number(kept.generic_plans)).toBeGreaterThan(0);
  const plan: string = JSON.stringify([...(await sql.unsafe("EXPLAIN EXECUTE look('{t1,t2}')"))]);
  expect(plan).toContain("session_token_unique");
  expect(plan).toContain("user_pkey");
  expect(plan).not.toContain("Seq Scan");
  await database.close();
  await outside.close();
});
