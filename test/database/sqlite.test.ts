import { Database as SqliteDatabase } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, jest, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import type { Database } from "../../src/database/database.ts";
import type * as schema from "../../src/database/schema.sqlite.ts";
import { openSqlite } from "../../src/database/sqlite.ts";
import { migrateSqliteFile } from "../../src/database/migrate-sqlite.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(30_000);

let path: string;
let database: Database;
let outside: SqliteDatabase;
beforeEach(async () => {
  path = join(temporaryDirectory("sqlite"), "latchkey.db");
  await migrateSqliteFile(path);
  database = openSqlite(path, () => {});
  outside = new SqliteDatabase(path, { readwrite: true });
});
afterEach(async () => {
  outside.close();
  await database.close();
});

const insert = "INSERT INTO verification (id, identifier, value, expires_at) VALUES (?, 'i', 'v', 1)";
const ids = () =>
  outside
    .query<{ id: string }, []>("SELECT id FROM verification ORDER BY rowid")
    .all()
    .map(({ id }) => id);
const write = async (id: string) => {
  const transaction = await database.begin();
  await transaction.query(insert, [id]);
  await transaction.commit();
};
const failure = (work: Promise<unknown>) =>
  work.then(
    () => "no failure",
    (error: unknown) => error,
  );

describe("openSqlite", () => {
  test("S75: writes durably, in WAL, with foreign keys held", async () => {
    const transaction = await database.begin();
    const pragma = async (name: string) =>
      Object.values((await transaction.query(`PRAGMA ${name}`))[0] ?? {})[0];
    expect([
      await pragma("journal_mode"),
      await pragma("synchronous"),
      await pragma("foreign_keys"),
      await pragma("busy_timeout"),
    ]).toEqual(["wal", 2, 1, 0]);
    await transaction.rollback();
  });

  test("refuses to make a file that is not there", () => {
    expect(() => openSqlite(`${path}.gone`, () => {})).toThrow();
  });

  test("takes its log away when it closes, whatever has been prepared and not collected", async () => {
    outside.close();
    const reads = database.reads() as BunSQLiteDatabase<typeof schema>;
    expect(reads.query.verification.findMany().sync()).toEqual([]);
    await write("a");
    await database.sessions.find("none");
    expect(existsSync(`${path}-wal`)).toBe(true);
    await database.close();
    expect(["", "-wal", "-shm"].map((suffix) => existsSync(path + suffix))).toEqual([true, false, false]);
    outside = new SqliteDatabase(path, { readwrite: true });
  });

  test("reads on a connection that cannot write", async () => {
    const reads = database.reads() as { $client: SqliteDatabase };
    expect(() => reads.$client.run("DELETE FROM verification")).toThrow("readonly");
  });

  test("shows a transaction to itself alone until it is committed", async () => {
    const transaction = await database.begin();
    await transaction.query(insert, ["a"]);
    expect([await transaction.query("SELECT id FROM verification"), ids()]).toEqual([[{ id: "a" }], []]);
    await transaction.commit();
    expect(ids()).toEqual(["a"]);
  });

  test("leaves nothing of a transaction that was rolled back", async () => {
    const transaction = await database.begin();
    await transaction.query(insert, ["a"]);
    await transaction.rollback();
    await write("b");
    expect(ids()).toEqual(["b"]);
  });

  test("holds a transaction across asynchronous work, and gives the next one its turn", async () => {
    const first = await database.begin();
    const waiting = ["b", "c", "d"].map(write);
    await first.query(insert, ["a"]);
    await Bun.sleep(20);
    expect(ids()).toEqual([]);
    await first.commit();
    await Promise.all(waiting);
    expect(ids()).toEqual(["a", "b", "c", "d"]);
  });

  test("gives the next one its turn after a rollback and after a failed statement, too", async () => {
    const first = await database.begin();
    const second = write("b");
    expect(await failure(first.query("INSERT INTO nowhere VALUES (1)"))).toBeInstanceOf(Error);
    await first.rollback();
    await second;
    expect(ids()).toEqual(["b"]);
  });

  test("lets nobody wait for the writer longer than 2 s, and loses no turn over it", async () => {
    const first = await database.begin();
    const started = performance.now();
    const waited = await Promise.all([failure(database.begin()), failure(database.begin())]);
    expect(waited).toEqual([
      expect.objectContaining({ status: 503, code: "STORE_UNAVAILABLE" }),
      expect.objectContaining({ status: 503, code: "STORE_UNAVAILABLE" }),
    ]);
    expect(performance.now() - started).toBeGreaterThan(1_900);
    const next = write("b");
    await first.commit();
    await next;
    expect(ids()).toEqual(["b"]);
  });

  test("lets the time of one who had his turn take nobody else's", async () => {
    jest.useFakeTimers();
    try {
      const first = await database.begin();
      const second = database.begin();
      await first.commit();
      const granted = await second;
      jest.advanceTimersByTime(1_500);
      let isGranted = false;
      const third = database.begin().then((transaction) => {
        isGranted = true;
        return transaction;
      });
      // Two seconds after the second one came.
      jest.advanceTimersByTime(600);
      await granted.commit();
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
      expect(isGranted).toBe(true);
      await (await third).rollback();
    } finally {
      jest.useRealTimers();
    }
  });

  test("S78: waits for another process' lock without stopping this one", async () => {
    outside.run("BEGIN IMMEDIATE");
    const writing = write("a");
    // A wait that stops the process would have used the writer's two seconds up before the first of these turns.
    for (let turn = 0; turn < 50; turn += 1) await Bun.sleep(2);
    outside.run("COMMIT");
    await writing;
    expect(ids()).toEqual(["a"]);
  });

  test("S78: gives up another process' lock after 2 s with 503, and writes again once it is gone", async () => {
    outside.run("BEGIN IMMEDIATE");
    const started = performance.now();
    expect(await failure(write("a"))).toMatchObject({
      status: 503,
      code: "STORE_UNAVAILABLE",
      cause: { code: "SQLITE_BUSY" },
    });
    expect(performance.now() - started).toBeGreaterThan(1_900);
    outside.run("ROLLBACK");
    await write("b");
    expect(ids()).toEqual(["b"]);
  });

  test("S78: reads while another process holds the lock", async () => {
    outside.run("BEGIN EXCLUSIVE");
    expect(await database.probe()).toEqual([]);
    expect(database.sessions.find("none")).toBeNull();
    outside.run("ROLLBACK");
  });

  test("probes what a start would read: the tables, and the migrations", async () => {
    expect(await database.probe()).toEqual([]);
    for (const table of ["latchkey_migration", "session", "user"]) {
      outside.run(`ALTER TABLE ${table} RENAME TO elsewhere`);
      expect(await failure(database.probe())).toBeInstanceOf(Error);
      outside.run(`ALTER TABLE elsewhere RENAME TO ${table}`);
    }
    outside.run("DELETE FROM latchkey_migration WHERE tag = '0003_foreign_hash'");
    expect(await database.probe()).toEqual(["0003_foreign_hash"]);
  });

  test("ends a transaction once: a second end takes nobody's turn and nobody's writes", async () => {
    const first = await database.begin();
    await first.query(insert, ["a"]);
    await first.rollback();
    const second = await database.begin();
    await second.query(insert, ["b"]);
    await first.rollback();
    await first.commit();
    const third = write("c");
    await Bun.sleep(20);
    expect(ids()).toEqual([]);
    await second.commit();
    await third;
    expect(ids()).toEqual(["b", "c"]);
  });

  test("gives the next one its turn even when it cannot roll back", async () => {
    const own = openSqlite(path, () => {});
    const transaction = await own.begin();
    const next = failure(own.begin());
    // Closes the connection under the transaction, as nothing but a fault does.
    await own.close();
    await transaction.rollback();
    const last = await Promise.race([next, Bun.sleep(1_000).then(() => "still waiting")]);
    expect(last).toMatchObject({ status: 503, code: "STORE_UNAVAILABLE" });
  });

  test("keeps what it acknowledged when the process is killed", async () => {
    const script = `
      const { openSqlite } = await import(${JSON.stringify(join(import.meta.dir, "../../src/database/sqlite.ts"))});
      const database = openSqlite(${JSON.stringify(path)});
      for (let count = 0; ; count += 1) {
        const transaction = await database.begin();
        await transaction.query(${JSON.stringify(insert)}, [String(count)]);
        await transaction.commit();
        process.stdout.write(count + "\\n");
      }`;
    const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
    let told = "";
    for await (const chunk of child.stdout) {
      told += new TextDecoder().decode(chunk);
      if (told.split("\n").length > 20) child.kill("SIGKILL");
    }
    const acknowledged = told.split("\n").slice(0, -1);
    expect(acknowledged.length).toBeGreaterThanOrEqual(20);
    expect(ids()).toEqual(expect.arrayContaining(acknowledged));
    expect(outside.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  });
});
