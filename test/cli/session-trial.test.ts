import { Database } from "bun:sqlite";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "bun:test";
import { trySession, trySqlite } from "../../src/cli/session-trial.ts";
import { checkSqlite } from "../../src/database/copy-sqlite.ts";
import { migrateSqliteFile } from "../../src/database/migrate-sqlite.ts";
import type { SessionRow } from "../../src/database/sessions/store.ts";
import { temporaryDirectory } from "../support/reaper.ts";

const now = Date.parse("2026-11-22T12:00:00Z");
const dayMs = 86_400_000;
const config = { secure: true, sessionMaxAgeSeconds: 30 * 86_400 };
const secrets = ["0f1e2d3c4b5a69788796a5b4c3d2e1f0-AbCdEfGh"];
const rules = { config, secrets, now };

let empty: string;
beforeAll(async () => {
  empty = join(temporaryDirectory("trial"), "empty.db");
  await migrateSqliteFile(empty);
});

/** A database with a user and what `statements` add. */
function databaseWith(...statements: readonly string[]): string {
  const path = join(temporaryDirectory("trial"), "copy.db");
  copyFileSync(empty, path);
  const db = new Database(path);
  db.run("PRAGMA foreign_keys = OFF");
  db.run("INSERT INTO user (id, name, email, email_verified) VALUES ('ann', 'Ann', 'ann@example.com', 0)");
  for (const statement of statements) db.run(statement);
  // As VACUUM INTO leaves a copy.
  db.run("PRAGMA journal_mode = DELETE");
  db.close(true);
  return path;
}
const session = (token: string, { user = "ann", age = dayMs, left = dayMs } = {}) =>
  "INSERT INTO session (id, token, user_id, created_at, updated_at, expires_at) " +
  `VALUES ('${token}', '${token}', '${user}', ${now - age}, ${now - age}, ${now + left})`;
const triedOf = async (path: string) => trySqlite(path, await checkSqlite(path, "none"), rules);

describe("trySqlite", () => {
  test.each([
    ["there is none", [], "none"],
    ["one lives", [session("a")], "verified"],
    [
      "one lives, and others with a later end do not",
      [session("a", { age: 31 * dayMs, left: 9 * dayMs }), session("b")],
      "verified",
    ],
    ["all have ended", [session("a", { left: -1 })], "none"],
    ["all are older than sessions may be", [session("a", { age: 31 * dayMs })], "none"],
    ["one is from a future that no clock explains", [session("a", { age: -dayMs })], "none"],
  ])("where %s", async (_what, statements, expected) => {
    expect(await triedOf(databaseWith(...statements))).toEqual({ session: expected as never, orphans: 0 });
  });

  test("counts rows without a user, by none of which it tries", async () => {
    const path = databaseWith(session("a", { user: "gone" }), "INSERT INTO latchkey_lock VALUES ('gone', 0)");
    expect(await triedOf(path)).toEqual({ session: "none", orphans: 2 });
  });

  test("does not ask a copy that a start has to migrate first", async () => {
    const path = databaseWith(session("a"), "DELETE FROM latchkey_migration WHERE tag = '0005_locks'");
    expect(await triedOf(path)).toEqual({ session: "untried", orphans: 0 });
  });

  test("counts locked users, also where the schema has no table of them yet", async () => {
    const locked = databaseWith("INSERT INTO latchkey_lock VALUES ('ann', 0)");
    expect(await checkSqlite(locked, "none")).toMatchObject({ users: 1, locks: 1 });
    expect(await checkSqlite(databaseWith("DROP TABLE latchkey_lock"), "none")).toMatchObject({ locks: 0 });
  });
});

describe("trySession", () => {
  const row: SessionRow = {
    id: "1",
    token: "a",
    userId: "ann",
    expiresAt: now + dayMs,
    createdAt: now,
    updatedAt: now,
    ipAddress: null,
    userAgent: null,
    user: {
      id: "ann",
      name: "Ann",
      email: "ann@example.com",
      emailVerified: false,
      image: null,
      createdAt: now,
      updatedAt: now,
    },
  };
  const storeOf = (found: SessionRow | null) => ({ find: () => found, async close() {} });

  test("verifies with a secret of its own where none is known", async () => {
    expect(await trySession(storeOf(row), "a", { ...rules, secrets: [] })).toBe("verified");
  });

  test.each([
    ["is not found", null, "SESSION_EXPIRED"],
    ["has ended", { ...row, expiresAt: now - 1 }, "SESSION_EXPIRED"],
    ["is another one", { ...row, token: "b" }, "another one is found"],
  ])("fails where the session %s", async (_what, found, why) => {
    await expect(trySession(storeOf(found), "a", rules)).rejects.toThrow(
      `a live session of the database does not verify in the copy (${why})`,
    );
  });
});
