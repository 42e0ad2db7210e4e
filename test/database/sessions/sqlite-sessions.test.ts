import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { migrateSqliteFile } from "../../../src/database/migrate-sqlite.ts";
import { openChangeGuard } from "../../../src/database/sessions/change-guard.ts";
import { openSqliteSessions } from "../../../src/database/sessions/sqlite-sessions.ts";
import type { SessionRow, SessionStore } from "../../../src/database/sessions/store.ts";
import { temporaryDirectory } from "../../support/reaper.ts";

/** More rows than are kept. */
const most = 20_000;

/** A user u1 with sessions a and b. */
async function open() {
  const path = join(temporaryDirectory("store"), "latchkey.db");
  await migrateSqliteFile(path);
  const writer = new Database(path, { readwrite: true });
  writer.run("PRAGMA synchronous = OFF");
  writer.run("INSERT INTO user (id, name, email) VALUES ('u1', 'One', 'one@example.com')");
  for (const token of ["a", "b"])
    writer.run("INSERT INTO session (id, token, user_id, expires_at) VALUES ('id-' || ?1, ?1, 'u1', 9)", [
      token,
    ]);
  return { path, writer };
}

function openSessions(path: string) {
  const reader = new Database(path, { readonly: true });
  const guard = openChangeGuard(path, reader);
  const sessions = openSqliteSessions(guard, reader);
  return {
    ...sessions,
    async close() {
      await sessions.close();
      guard.close();
    },
  };
}

describe("openSqliteSessions", () => {
  const find = (sessions: SessionStore, token: string) => sessions.find(token) as SessionRow | null;

  test("keeps a row until it changes, and only that one goes", async () => {
    const { path, writer } = await open();
    const sessions = openSessions(path);
    const [a, b] = [find(sessions, "a"), find(sessions, "b")];
    expect(a).toMatchObject({ token: "a", userId: "u1", user: { id: "u1", emailVerified: false } });
    writer.run("UPDATE session SET expires_at = 5 WHERE token = 'a'");
    expect(find(sessions, "a")?.expiresAt).toBe(5);
    expect(find(sessions, "b")).toBe(b as SessionRow);
    writer.run("DELETE FROM session WHERE token = 'b'");
    expect(find(sessions, "b")).toBeNull();
    await sessions.close();
  });

  test("keeps no more than its bound, and nothing for tokens that have no session", async () => {
    const { path, writer } = await open();
    writer.run(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${most}) INSERT INTO session (id, token, user_id, expires_at) SELECT 'n' || i, 'n' || i, 'u1', 9 FROM n`,
    );
    const sessions = openSessions(path);
    const first = find(sessions, "a");
    for (let count = 0; count < most; count += 1) expect(find(sessions, `none-${count}`)).toBeNull();
    expect(find(sessions, "a")).toBe(first as SessionRow);
    // What comes once drives nothing out.
    for (let count = 1; count <= most; count += 1) find(sessions, `n${count}`);
    expect(find(sessions, "a")).toBe(first as SessionRow);
    let kept = 0;
    for (let count = 1; kept === 0 && count <= most; count += 1) {
      while (find(sessions, `n${count}`) !== find(sessions, `n${count}`)) continue;
      if (find(sessions, "a") !== first) kept = count;
    }
    // More than the bench rotates, fewer than would cost memory.
    expect(kept).toBeGreaterThanOrEqual(10_000);
    await sessions.close();
  });

  test("turns a broken file into 503, and answers again when it is whole", async () => {
    const { path, writer } = await open();
    const sessions = openSessions(path);
    find(sessions, "a");
    writer.run("ALTER TABLE session RENAME TO elsewhere");
    expect(() => find(sessions, "a")).toThrow(expect.objectContaining({ status: 503 }));
    writer.run("ALTER TABLE elsewhere RENAME TO session");
    expect(find(sessions, "a")?.token).toBe("a");
    await sessions.close();
  });
});
