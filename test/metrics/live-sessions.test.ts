import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Database } from "../../src/database/database.ts";
import { createLiveSessions } from "../../src/metrics/live-sessions.ts";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { openMigrated } from "../support/open-database.ts";

setDefaultTimeout(60_000);

const hour = 3_600_000;

describe.each(dialects)("createLiveSessions on %s", (dialect) => {
  test("counts what has not ended, also of many that end at one instant", async () => {
    const outside = await openTestDatabase(dialect);
    const database = await openMigrated(outside);
    const now = Date.now();
    const instant = (at: number) => (dialect === "sqlite" ? String(at) : `'${new Date(at).toISOString()}'`);
    const numbers = (count: number) =>
      dialect === "sqlite"
        ? `(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i FROM n)`
        : `generate_series(1, ${count}) AS n(i)`;
    await outside.query(`INSERT INTO "user" (id, name, email) VALUES ('u', 'Ann', 'ann@example.com')`);
    const insert = (name: string, count: number, expiresAt: number) =>
      outside.query(
        "INSERT INTO session (id, expires_at, token, created_at, updated_at, user_id) " +
          `SELECT '${name}' || i, ${instant(expiresAt)}, '${name}' || i, ${instant(now)}, ${instant(now)}, 'u' FROM ${numbers(count)}`,
      );
    expect(await createLiveSessions(database, () => now)()).toBe(0);
    await insert("ended", 50, now - 1);
    await insert("now", 3, now);
    await insert("soon", 25_000, now + hour);
    await insert("later", 7, now + 2 * hour);
    expect(await createLiveSessions(database, () => now)()).toBe(25_007);
    await database.close();
    await outside.close();
  });
});

describe("createLiveSessions", () => {
  const fake = (driver: Database["driver"], read: Database["read"], idleMs?: () => number) =>
    ({ driver, provider: "pg", read, ...(idleMs === undefined ? {} : { idleMs }) }) as Database;

  test("asks once, however often it is asked", async () => {
    let asked = 0;
    const read = async () => [{ n: (asked += 1) }];
    const count = createLiveSessions(fake("postgres", read), Date.now);
    expect(await Promise.all([count(), count(), count()])).toEqual([1, 1, 1]);
    expect(await count()).toBe(1);
  });

  test("says nothing while the database fails, and wakes none that sleeps", async () => {
    const failing = fake("postgres", () => Promise.reject(new Error("gone")));
    expect(await createLiveSessions(failing, Date.now)()).toBeNull();
    let asked = 0;
    const read = async () => [{ n: (asked += 1) }];
    expect(
      await createLiveSessions(
        fake("neon", read, () => 60_001),
        Date.now,
      )(),
    ).toBeNull();
    expect(
      await createLiveSessions(
        fake("neon", read, () => 59_999),
        Date.now,
      )(),
    ).toBe(1);
    expect(asked).toBe(1);
  });
});
