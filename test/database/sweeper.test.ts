import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { sweepBatch, sweepBatchSize } from "../../src/database/sweeper.ts";
import { createSweeper } from "../../src/database/sweeper.ts";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { openMigrated } from "../support/open-database.ts";

setDefaultTimeout(60_000);

const hour = 3_600_000;

describe.each(dialects)("sweepBatch on %s", (dialect) => {
  test("S13: keeps 200,000 limits at the most, those that say the most", async () => {
    const outside = await openTestDatabase(dialect);
    const database = await openMigrated(outside);
    const end = Date.now() + hour;
    const numbers =
      dialect === "sqlite"
        ? "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT i FROM n)"
        : "generate_series(1, 200000) AS n(i)";
    await outside.query(
      `INSERT INTO latchkey_limit (key, points, expires_at) SELECT 'k' || i, 2, ${end} FROM ${numbers}`,
    );
    await outside.query(
      `INSERT INTO latchkey_limit (key, points, expires_at) VALUES ('least', 1, ${end}), ('most', 9, ${end})`,
    );
    await sweepBatch(database, Date.now());
    const [count] = await outside.query("SELECT count(*) AS n FROM latchkey_limit");
    expect(Number(count?.["n"])).toBe(200_000);
    const left = await outside.query("SELECT key FROM latchkey_limit WHERE key IN ('least', 'most')");
    expect(left.map(({ key }) => key)).toEqual(["most"]);
    await database.close();
    await outside.close();
  });

  test("S13: deletes limits whose time is over, a batch at a time, and no other", async () => {
    const outside = await openTestDatabase(dialect);
    const database = await openMigrated(outside);
    const now = Date.now();
    const over = 9 * sweepBatchSize;
    const values = Array.from(
      { length: over + 3 },
      (_, index) => `('k${index}', 1, ${index < over ? now - hour : now + hour})`,
    );
    await outside.query(`INSERT INTO latchkey_limit (key, points, expires_at) VALUES ${values.join()}`);
    const counts: number[] = [];
    do {
      counts.push(await sweepBatch(database, now));
    } while ((counts.at(-1) ?? 0) >= sweepBatchSize);
    expect(counts).toEqual([sweepBatchSize, sweepBatchSize, 0]);
    const left = await outside.query("SELECT key FROM latchkey_limit ORDER BY key");
    expect(left.map(({ key }) => key)).toEqual([`k${over}`, `k${over + 1}`, `k${over + 2}`].toSorted());
    await database.close();
    await outside.close();
  });

  test("deletes ended sessions, a batch at a time, and no other", async () => {
    const outside = await openTestDatabase(dialect);
    const database = await openMigrated(outside);
    const now = Date.now();
    const instant = (at: number) => (dialect === "sqlite" ? String(at) : `'${new Date(at).toISOString()}'`);
    await outside.query(`INSERT INTO "user" (id, name, email) VALUES ('u', 'U', 'u@example.com')`);
    const values = Array.from({ length: 3 * sweepBatchSize }, (_, index) => {
      const end = index < 2 * sweepBatchSize + 7 ? now - hour : now + hour;
      return `('s${index}', 't${index}', 'u', ${instant(end)}, ${instant(now)})`;
    });
    await outside.query(
      `INSERT INTO session (id, token, user_id, expires_at, updated_at) VALUES ${values.join()}`,
    );
    const batches: number[] = [];
    for (let deleted = sweepBatchSize; deleted === sweepBatchSize; )
      batches.push((deleted = await sweepBatch(database, now)));
    expect(batches).toEqual([sweepBatchSize, sweepBatchSize, 7]);
    const [left] = await outside.query("SELECT count(*) AS n FROM session");
    expect(Number(left?.["n"])).toBe(sweepBatchSize - 7);
    await database.close();
    await outside.close();
  });
});

describe("createSweeper", () => {
  const open = (batches: (() => Promise<number>)[]) => {
    const failures: unknown[] = [];
    let calls = 0;
    const done = Promise.withResolvers<void>();
    const sweeper = createSweeper({
      sweepBatch: async () => {
        calls += 1;
        const next = batches.shift();
        if (batches.length === 0) done.resolve();
        return (await next?.()) ?? 0;
      },
      batchSize: 5,
      now: () => 0,
      onFailure: (error) => failures.push(error),
      delayMs: 1,
      pauseMs: 1,
    });
    return { sweeper, failures, done: done.promise, calls: () => calls };
  };

  test("does nothing until something was written", async () => {
    const { sweeper, calls } = open([async () => 0]);
    await Bun.sleep(10);
    expect(calls()).toBe(0);
    await sweeper.stop();
  });

  test("goes on while batches are full, once for many writes", async () => {
    const { sweeper, calls, done } = open([async () => 5, async () => 5, async () => 2]);
    for (let write = 0; write < 10; write += 1) sweeper.wake();
    await done;
    await sweeper.stop();
    expect(calls()).toBe(3);
  });

  test("makes batches smaller that take longer than they are to, and larger again", async () => {
    const sizes: number[] = [];
    const took = [20, 20, 20, 0, 0, 0];
    const sweeper = createSweeper({
      sweepBatch: async (_before, size) => {
        sizes.push(size);
        Bun.sleepSync(took.shift() ?? 0);
        return took.length === 0 ? 0 : size;
      },
      batchSize: 100,
      batchMs: 10,
      now: () => 0,
      onFailure: () => {},
      delayMs: 1,
      pauseMs: 1,
    });
    sweeper.wake();
    while (took.length > 0) await Bun.sleep(1);
    await sweeper.stop();
    expect(sizes).toHaveLength(6);
    expect([sizes[0], sizes[5]]).toEqual([100, 100]);
    for (const [at, most] of [100, 50, 25, 13].entries()) expect(sizes[at]).toBeLessThanOrEqual(most);
    expect(sizes[3]).toBeGreaterThanOrEqual(5);
  });

  test("reports a failure and sweeps again after the next write", async () => {
    const lost = new Error("lost");
    const first = open([() => Promise.reject(lost), async () => 1]);
    first.sweeper.wake();
    while (first.failures.length === 0) await Bun.sleep(1);
    expect(first.failures).toEqual([lost]);
    first.sweeper.wake();
    await first.done;
    await first.sweeper.stop();
    expect(first.calls()).toBe(2);
  });
});
