import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type ChangeGuard, mapHeader, openChangeGuard } from "../../../src/database/sessions/change-guard.ts";

import { temporaryDirectory } from "../../support/reaper.ts";

interface Opened {
  readonly path: string;
  readonly writer: Database;
  readonly reader: Database;
  readonly guard: ChangeGuard;
}

const opened: Opened[] = [];
afterEach(() => {
  for (const { writer, reader, guard } of opened.splice(0)) {
    writer.close();
    reader.close();
    guard.close();
  }
});

/** WAL has the wal-index, which is mapped or, where it cannot be, read; without it the pragma is asked. */
const modes = ["WAL, mapped", "WAL, read", "DELETE"] as const;

function open(mode: (typeof modes)[number] = "WAL, mapped"): Opened {
  const path = join(temporaryDirectory("guard"), "latchkey.db");
  const writer = new Database(path, { create: true, readwrite: true });
  writer.run(`PRAGMA journal_mode = ${mode.split(",")[0]}`);
  writer.run("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)");
  writer.run("INSERT INTO t (x) VALUES ('first')");
  const reader = new Database(path, { readonly: true });
  let isMapped = false;
  const guard = openChangeGuard(path, reader, (descriptor, length) => {
    const mapped = mode === "WAL, mapped" ? mapHeader(descriptor, length) : null;
    isMapped = mapped !== null;
    return mapped;
  });
  expect([existsSync(`${path}-shm`), isMapped]).toEqual([mode !== "DELETE", mode === "WAL, mapped"]);
  const all = { path, writer, reader, guard };
  opened.push(all);
  return all;
}

/** Runs SQL in a process of its own. */
function outside(path: string, sql: string, busyTimeoutMs = 5_000): void {
  const script = `const { Database } = require("bun:sqlite"); const db = new Database(${JSON.stringify(path)}); db.run("PRAGMA busy_timeout = ${busyTimeoutMs}"); db.run(${JSON.stringify(sql)}); db.close();`;
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, "-e", script]);
  if (exitCode !== 0) throw new Error(stderr.toString());
}

describe.each(modes)("openChangeGuard on a file in mode %s", (mode) => {
  test("says yes first, and no while nothing is committed", () => {
    const { guard, reader } = open(mode);
    expect(guard.changed()).toBe(true);
    reader.query("SELECT * FROM t").all();
    expect([guard.changed(), guard.changed(), guard.changed()]).toEqual([false, false, false]);
  });

  test("sees each commit of another connection, once", () => {
    const { guard, writer } = open(mode);
    guard.changed();
    for (const sql of [
      "INSERT INTO t (x) VALUES ('second')",
      "UPDATE t SET x = 'third'",
      "DELETE FROM t",
      "CREATE TABLE u (x)",
      "DROP TABLE u",
    ]) {
      writer.run(sql);
      expect([sql, guard.changed(), guard.changed()]).toEqual([sql, true, false]);
    }
  });

  test("sees a thousand commits, none missed", () => {
    const { guard, writer } = open(mode);
    writer.run("PRAGMA synchronous = OFF");
    guard.changed();
    let seen = 0;
    for (let count = 0; count < 1_000; count += 1) {
      writer.run("UPDATE t SET x = ?", [String(count)]);
      if (guard.changed()) seen += 1;
    }
    expect(seen).toBe(1_000);
  });

  test("sees a commit of another process", () => {
    const { guard, path } = open(mode);
    guard.changed();
    outside(path, "INSERT INTO t (x) VALUES ('outside')");
    expect([guard.changed(), guard.changed()]).toEqual([true, false]);
    outside(path, "UPDATE t SET x = 'again'");
    expect([guard.changed(), guard.changed()]).toEqual([true, false]);
  });

  test("sees a transaction when it is committed, not before", () => {
    const { guard, writer, reader } = open(mode);
    guard.changed();
    writer.run("BEGIN IMMEDIATE");
    writer.run("UPDATE t SET x = 'changed'");
    const before = guard.changed();
    writer.run("COMMIT");
    expect([before, guard.changed(), reader.query("SELECT x FROM t").get()]).toEqual([
      false,
      true,
      { x: "changed" },
    ]);
  });

  test("sees a commit through VACUUM, and goes on seeing", () => {
    const { guard, writer, path } = open(mode);
    guard.changed();
    writer.run("VACUUM");
    guard.changed();
    outside(path, "VACUUM");
    guard.changed();
    writer.run("UPDATE t SET x = 'after'");
    expect(guard.changed()).toBe(true);
  });
});

describe("openChangeGuard on a mapped file in mode WAL", () => {
  test.each(["PASSIVE", "FULL", "RESTART", "TRUNCATE"])("sees commits around a %s checkpoint", (kind) => {
    const { guard, writer, reader, path } = open();
    guard.changed();
    for (const value of ["one", "two", "three"]) {
      writer.run("UPDATE t SET x = ?", [value]);
      writer.run(`PRAGMA wal_checkpoint(${kind})`);
      expect(guard.changed()).toBe(true);
      expect(reader.query("SELECT x FROM t").get()).toEqual({ x: value });
      guard.changed();
      outside(path, `UPDATE t SET x = '${value} outside'`);
      expect(guard.changed()).toBe(true);
    }
  });

  test("sees what another process commits after it has closed, and opened, the file again", () => {
    const { guard, writer, path, reader } = open();
    guard.changed();
    writer.run("PRAGMA wal_checkpoint(TRUNCATE)");
    for (const value of ["one", "two"]) {
      guard.changed();
      outside(path, `UPDATE t SET x = '${value}'`);
      expect(guard.changed()).toBe(true);
      expect(reader.query("SELECT x FROM t").get()).toEqual({ x: value });
    }
  });

  test("refuses to be asked, and does nothing more, once it is closed", () => {
    const { guard } = open();
    guard.close();
    guard.close();
    expect(() => guard.changed()).toThrow("closed");
  });

  test("keeps the locks that SQLite holds on the index in this process", () => {
    const { path, writer, guard } = open();
    guard.changed();
    writer.run("BEGIN IMMEDIATE");
    guard.changed();
    expect(() => outside(path, "BEGIN IMMEDIATE", 0)).toThrow("database is locked");
    writer.run("ROLLBACK");
    outside(path, "BEGIN IMMEDIATE", 0);
  });
});
