import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { openDatabase } from "../../src/database/open.ts";
import { openTestDatabase } from "../support/databases.ts";
import { databaseConfigOf, openMigrated } from "../support/open-database.ts";

setDefaultTimeout(60_000);

describe.each(["postgres", "neon"] as const)("begin on %s", (dialect) => {
  test("S70: leaves no connection behind when it fails", async () => {
    const outside = await openTestDatabase(dialect);
    const database = await openMigrated(outside);
    // More than a pool has, and more than a server takes for a timeout.
    for (let failed = 0; failed < 20; failed += 1)
      await expect(database.begin(10 ** 12)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    const begun = await Promise.all(Array.from({ length: 10 }, () => database.begin()));
    await Promise.all(begun.map((transaction) => transaction.rollback()));
    await database.close();
    await outside.close();
  });

  test("gives a transaction that ends once, whatever ends it", async () => {
    const outside = await openTestDatabase(dialect);
    const database = await openMigrated(outside);
    const ids = async () =>
      (await outside.query("SELECT id FROM verification ORDER BY id")).map(({ id }) => id);
    const insert = (id: string) =>
      `INSERT INTO verification (id, identifier, value, expires_at) VALUES ('${id}', 'i', 'v', now())`;
    const first = await database.begin();
    await first.query(insert("a"));
    await first.commit();
    // On the connection that the first one had.
    const others = await Promise.all(Array.from({ length: 10 }, () => database.begin()));
    await Promise.all(others.map((other, index) => other.query(insert(`b${index}`))));
    await first.rollback();
    await first.commit();
    await Promise.all(others.map((other) => other.commit()));
    expect(await ids()).toHaveLength(11);
    await database.close();
    await outside.close();
  });

  test("S70: has its statements ended on the server too, not only given up here", async () => {
    const outside = await openTestDatabase(dialect);
    const database = await openMigrated(outside);
    const settings = async (statementTimeoutMs?: number) => {
      const asking = await database.begin(statementTimeoutMs);
      const [row] = await asking.query(
        "SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock",
      );
      await asking.rollback();
      return row;
    };
    const lock = "2s";
    expect([await settings(), await settings(600_000), await settings()]).toEqual([
      { statement: "4s", lock },
      { statement: "10min", lock },
      { statement: "4s", lock },
    ]);
    const transaction = await database.begin();
    await expect(transaction.query("SELECT pg_sleep(30)")).rejects.toThrow();
    await transaction.rollback();
    const isSleeping = async () =>
      (
        await outside.query(
          "SELECT 1 AS one FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()",
        )
      ).length > 0;
    // Its own time is up at 4 s; without one it would sleep on for 26.
    const deadline = Date.now() + 10_000;
    while ((await isSleeping()) && Date.now() < deadline) await Bun.sleep(50);
    expect(await isSleeping()).toBe(false);
    await database.close();
    await outside.close();
  });

  test("S70: bounds a request's statements to 4 s, and a migration's by what it is given", async () => {
    const outside = await openTestDatabase(dialect);
    const database = openDatabase(databaseConfigOf(outside));
    const sleep = async (statementTimeoutMs?: number) => {
      const transaction = await database.begin(statementTimeoutMs);
      try {
        await transaction.query("SELECT pg_sleep(4.5)");
        return "slept";
      } catch {
        return "cut";
      } finally {
        await transaction.rollback();
      }
    };
    expect(await Promise.all([sleep(), sleep(20_000)])).toEqual(["cut", "slept"]);
    await database.close();
    await outside.close();
  });
});
