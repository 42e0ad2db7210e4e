import { Database } from "bun:sqlite";
import { expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inspectSqlite, inspectSqliteSchema } from "../../src/database/inspect-sqlite.ts";
import { migrateSqliteFile } from "../../src/database/migrate-sqlite.ts";
import { temporaryDirectory, watchProcess } from "../support/reaper.ts";

setDefaultTimeout(30_000);

async function migrated(): Promise<string> {
  const path = join(temporaryDirectory("inspect"), "latchkey.db");
  await migrateSqliteFile(path);
  return path;
}

/** A connection that nobody else may be beside, as there is for a moment when a server opens or closes the file. */
function holdAlone(path: string): Database {
  const holder = new Database(path, { readwrite: true });
  holder.run("PRAGMA locking_mode = EXCLUSIVE");
  holder.run("BEGIN IMMEDIATE");
  holder.run("DELETE FROM verification");
  holder.run("COMMIT");
  return holder;
}

test("waits for whoever holds the file alone for a moment", async () => {
  const path = await migrated();
  const holder = holdAlone(path);
  setTimeout(() => holder.close(true), 200);
  const { pending } = await inspectSqliteSchema(path);
  expect(pending).toEqual([]);
});

test("says that the file is locked where nobody gives it up", async () => {
  const path = await migrated();
  const holder = holdAlone(path);
  const failure = await inspectSqliteSchema(path).catch((error: unknown) => error);
  expect(String(failure)).toContain("locked");
  holder.close(true);
});

test("reads a file that another process opens and closes all the while, and never half of it", async () => {
  const path = await migrated();
  const insert =
    "INSERT INTO verification (id, identifier, value, expires_at) VALUES (hex(randomblob(8)), 'i', 'v', 1)";
  const program = `
    const { Database } = require("bun:sqlite");
    for (;;) {
      const writer = new Database(process.argv[1], { readwrite: true });
      writer.run("PRAGMA busy_timeout = 5000");
      for (let row = 0; row < 20; row += 1) writer.run(${JSON.stringify(insert)});
      writer.close(true);
    }`;
  const child = Bun.spawn([process.execPath, "-e", program, path], { stdout: "ignore", stderr: "inherit" });
  watchProcess(child.pid, "KILL");
  for (let turn = 0; turn < 500; turn += 1) expect((await inspectSqlite(path)).damage).toEqual([]);
  expect(child.exitCode).toBeNull();
  child.kill("SIGKILL");
  await child.exited;
});

test("reads again what somebody opened meanwhile", async () => {
  const path = await migrated();
  // Its first question is asked before this goes on.
  const inspection = inspectSqliteSchema(path);
  const writer = new Database(path, { readwrite: true });
  writer.run("DELETE FROM latchkey_migration WHERE tag LIKE '0003%'");
  expect(existsSync(`${path}-wal`)).toBe(true);
  expect((await inspection).pending).toEqual([expect.stringMatching(/^0003/)]);
  writer.close(true);
});

test("reads again what somebody was about to roll back", async () => {
  const path = await migrated();
  const writer = new Database(path, { readwrite: true });
  for (const text of ["journal_mode = DELETE", "cache_size = 1"]) writer.run(`PRAGMA ${text}`);
  writer.run("BEGIN");
  writer.run(
    `WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 2000)
     INSERT INTO verification (id, identifier, value, expires_at) SELECT n, 'i', hex(randomblob(100)), 1 FROM n`,
  );
  const journal = `${path}-journal`;
  copyFileSync(journal, `${path}.kept`);
  writer.run("ROLLBACK");
  writer.close(true);
  copyFileSync(`${path}.kept`, journal);
  const inspection = inspectSqliteSchema(path);
  rmSync(journal);
  expect((await inspection).pending).toEqual([]);
});
