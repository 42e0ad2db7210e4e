import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { migrateSqliteFile } from "../../../src/database/migrate-sqlite.ts";
import { type ChangeLog, openChangeLog } from "../../../src/database/sessions/change-log.ts";
import { temporaryDirectory } from "../../support/reaper.ts";

interface Opened {
  readonly path: string;
  readonly writer: Database;
  readonly reader: Database;
  readonly log: ChangeLog;
}

const opened: Opened[] = [];
afterEach(() => {
  for (const { writer, reader, log } of opened.splice(0)) {
    log.close();
    writer.close();
    reader.close();
  }
});

/** Users u1 and u2 with sessions a, b and c; a and b are u1's. The log has been read once. */
async function open(foreignKeys: "ON" | "OFF" = "ON"): Promise<Opened> {
  const path = join(temporaryDirectory("log"), "latchkey.db");
  await migrateSqliteFile(path);
  const writer = new Database(path, { readwrite: true });
  writer.run(`PRAGMA foreign_keys = ${foreignKeys}`);
  writer.run("PRAGMA synchronous = OFF");
  for (const user of ["u1", "u2"])
    writer.run("INSERT INTO user (id, name, email) VALUES (?1, ?1, ?1 || '@example.com')", [user]);
  for (const [token, user] of [
    ["a", "u1"],
    ["b", "u1"],
    ["c", "u2"],
  ] as const)
    writer.run("INSERT INTO session (id, token, user_id, expires_at) VALUES ('id-' || ?1, ?1, ?2, 9e15)", [
      token,
      user,
    ]);
  const reader = new Database(path, { readonly: true });
  const log = openChangeLog(reader);
  expect(log.read()).toBeNull();
  const all = { path, writer, reader, log };
  opened.push(all);
  return all;
}

const tokens = (changes: readonly string[] | null) =>
  changes === null ? null : [...new Set(changes)].sort();

describe.each(["ON", "OFF"] as const)("openChangeLog, foreign keys %s", (foreignKeys) => {
  test("says nothing while nothing changes", async () => {
    const { log, reader } = await open(foreignKeys);
    reader.query("SELECT * FROM session").all();
    expect([log.read(), log.read()]).toEqual([[], []]);
  });

  test.each([
    [
      "a new session",
      "INSERT INTO session (id, token, user_id, expires_at) VALUES ('id-d', 'd', 'u1', 1)",
      [],
    ],
    ["an ended session", "UPDATE session SET expires_at = 1 WHERE token = 'a'", ["a"]],
    ["a new token for a row", "UPDATE session SET token = 'z' WHERE token = 'a'", ["a"]],
    ["a new id for a row", "UPDATE session SET id = 'z' WHERE token = 'a'", ["a"]],
    ["a deleted session", "DELETE FROM session WHERE token = 'a'", ["a"]],
    ["every session deleted", "DELETE FROM session", ["a", "b", "c"]],
    [
      "a replaced session, by id",
      "INSERT OR REPLACE INTO session (id, token, user_id, expires_at) VALUES ('id-a', 'z', 'u1', 1)",
      ["a"],
    ],
    [
      "a replaced session, by token",
      "INSERT OR REPLACE INTO session (id, token, user_id, expires_at) VALUES ('z', 'a', 'u2', 1)",
      ["a"],
    ],
    [
      "two sessions replaced by one",
      "INSERT OR REPLACE INTO session (id, token, user_id, expires_at) VALUES ('id-a', 'b', 'u2', 1)",
      ["a", "b"],
    ],
    [
      "a session that replaces another",
      "UPDATE OR REPLACE session SET token = 'b' WHERE token = 'c'",
      ["b", "c"],
    ],
    [
      "an upsert",
      "INSERT INTO session (id, token, user_id, expires_at) VALUES ('id-a', 'a', 'u1', 1) ON CONFLICT (id) DO UPDATE SET expires_at = 1",
      ["a"],
    ],
    ["a session handed to another user", "UPDATE session SET user_id = 'u2' WHERE token = 'a'", ["a"]],
    ["a renamed user", "UPDATE user SET name = 'New' WHERE id = 'u1'", ["a", "b"]],
    ["a verified address", "UPDATE user SET email_verified = 1 WHERE id = 'u2'", ["c"]],
    ["a deleted user", "DELETE FROM user WHERE id = 'u1'", ["a", "b"]],
    ["every user renamed", "UPDATE user SET name = 'New'", ["a", "b", "c"]],
    [
      "a replaced user, by address",
      "INSERT OR REPLACE INTO user (id, name, email) VALUES ('u3', 'N', 'u1@example.com')",
      ["a", "b"],
    ],
    [
      "a replaced user, by id",
      "INSERT OR REPLACE INTO user (id, name, email) VALUES ('u1', 'N', 'n@example.com')",
      ["a", "b"],
    ],
    ["a new user", "INSERT INTO user (id, name, email) VALUES ('u3', 'N', 'n@example.com')", []],
    [
      "another table",
      "INSERT INTO verification (id, identifier, value, expires_at) VALUES ('v', 'v', 'v', 1)",
      [],
    ],
  ] as const)("tells whom %s concerns", async (_what, sql, expected) => {
    const { log, writer } = await open(foreignKeys);
    writer.run(sql);
    expect(tokens(log.read())).toEqual([...expected]);
    expect(log.read()).toEqual([]);
  });

  test("tells of a user that replaces another by its address", async () => {
    const { log, writer } = await open(foreignKeys);
    writer.run("UPDATE OR REPLACE user SET email = 'u2@example.com' WHERE id = 'u1'");
    expect(tokens(log.read())).toEqual(["a", "b", "c"]);
  });

  test("never misses a session whose row looks different afterwards, whatever the statement", async () => {
    const { log, writer } = await open(foreignKeys);
    const rows = () =>
      new Map(
        writer
          .query<{ token: string; row: string }, []>(
            "SELECT s.token, json_array(s.id, s.user_id, s.expires_at, u.name, u.email, u.email_verified, u.image) AS row FROM session s JOIN user u ON u.id = s.user_id",
          )
          .all()
          .map(({ token, row }) => [token, row]),
      );
    const pick = (values: readonly string[]) => values[Math.floor(Math.random() * values.length)] ?? "";
    const [ids, names, users] = [
      ["id-a", "id-b", "id-c", "id-d"],
      ["a", "b", "c", "d"],
      ["u1", "u2", "u3"],
    ];
    const or = () => pick(["OR REPLACE", "OR IGNORE"]);
    const value = () => Math.floor(Math.random() * 1e6);
    const statements = [
      () =>
        `INSERT ${or()} INTO session (id, token, user_id, expires_at) VALUES ('${pick(ids)}', '${pick(names)}', '${pick(users)}', ${value()})`,
      () =>
        `UPDATE ${or()} session SET expires_at = ${value()}, token = '${pick(names)}' WHERE id = '${pick(ids)}'`,
      () => `UPDATE ${or()} session SET user_id = '${pick(users)}' WHERE token = '${pick(names)}'`,
      () => `DELETE FROM session WHERE token = '${pick(names)}'`,
      () =>
        `INSERT ${or()} INTO user (id, name, email) VALUES ('${pick(users)}', '${value()}', '${pick(users)}@example.com')`,
      () => `UPDATE ${or()} user SET email = '${pick(users)}@example.com' WHERE id = '${pick(users)}'`,
      () => `UPDATE user SET name = '${value()}' WHERE id = '${pick(users)}'`,
      () => `UPDATE ${or()} user SET id = '${pick(users)}' WHERE id = '${pick(users)}'`,
      () => `DELETE FROM user WHERE id = '${pick(users)}'`,
    ];
    for (let round = 0; round < 1_500; round += 1) {
      const before = rows();
      const sql = statements[round % statements.length]?.() ?? "";
      try {
        writer.run(sql);
      } catch (error) {
        // A reference that does not hold: nothing was changed.
        if (!String(error).includes("FOREIGN KEY")) throw error;
      }
      const told = new Set(log.read());
      const after = rows();
      const missed = [...before].filter(([token, row]) => after.get(token) !== row && !told.has(token));
      expect({ sql, missed }).toEqual({ sql, missed: [] });
    }
  });
});

describe("openChangeLog", () => {
  test("tells what was rolled back to nobody", async () => {
    const { log, writer } = await open();
    writer.run("BEGIN");
    writer.run("DELETE FROM session");
    writer.run("ROLLBACK");
    expect(log.read()).toEqual([]);
    writer.run("DELETE FROM session WHERE token = 'b'");
    expect(log.read()).toEqual(["b"]);
  });

  test("is gapless over many commits", async () => {
    const { log, writer } = await open();
    for (let round = 0; round < 50; round += 1) {
      writer.run("UPDATE session SET expires_at = expires_at - 1 WHERE token = 'a'");
      if (round % 3 === 0) expect(tokens(log.read())).toEqual(["a"]);
    }
  });

  test("cannot tell after more changes than are worth reading, and can again after that", async () => {
    const { log, writer } = await open();
    writer.run("BEGIN");
    for (let count = 0; count < 1_000; count += 1)
      writer.run("UPDATE session SET expires_at = 1 WHERE token = 'a'");
    writer.run("COMMIT");
    expect(log.read()).toBeNull();
    writer.run("DELETE FROM session WHERE token = 'a'");
    expect(log.read()).toEqual(["a"]);
  });

  test.each([
    ["trimmed whole", "DELETE FROM session_change"],
    ["trimmed in part", "DELETE FROM session_change WHERE seq <= (SELECT max(seq) FROM session_change) - 1"],
  ])("cannot tell from a log that was %s before it was read", async (_what, trim) => {
    const { log, writer } = await open();
    writer.run("UPDATE session SET expires_at = 1 WHERE token = 'a'");
    writer.run("UPDATE session SET expires_at = 1 WHERE token = 'b'");
    writer.run(trim);
    expect(log.read()).toBeNull();
    writer.run("UPDATE session SET expires_at = 1 WHERE token = 'c'");
    expect(log.read()).toEqual(["c"]);
  });

  test("goes on when what was trimmed had been read", async () => {
    const { log, writer } = await open();
    writer.run("UPDATE session SET expires_at = 1 WHERE token = 'a'");
    expect(log.read()).toEqual(["a"]);
    writer.run("DELETE FROM session_change");
    expect(log.read()).toEqual([]);
    writer.run("UPDATE session SET expires_at = 1 WHERE token = 'b'");
    expect(log.read()).toEqual(["b"]);
  });

  test.each([
    "session_change_session_insert",
    "session_change_session_update",
    "session_change_session_delete",
    "session_change_user_insert",
    "session_change_user_update",
    "session_change_user_delete",
  ])("cannot tell while the trigger %s is missing, or another stands in its place", async (trigger) => {
    const { log, writer } = await open();
    const { sql } = writer
      .query<{ sql: string }, [string]>("SELECT sql FROM sqlite_master WHERE name = ?")
      .get(trigger) ?? {
      sql: "",
    };
    writer.run(`DROP TRIGGER ${trigger}`);
    expect([log.read(), log.read()]).toEqual([null, null]);
    writer.run(sql.replace(/BEGIN[\s\S]*END/, "BEGIN SELECT 1; END"));
    expect([log.read(), log.read()]).toEqual([null, null]);
    writer.run(`DROP TRIGGER ${trigger}`);
    writer.run(sql);
    // Once more: what happened meanwhile was not logged.
    expect([log.read(), log.read()]).toEqual([null, []]);
  });

  test("cannot tell after the whole log was dropped and made anew", async () => {
    const { log, writer } = await open();
    writer.run("UPDATE session SET expires_at = 1 WHERE token = 'a'");
    const made = writer
      .query<{ sql: string }, []>("SELECT sql FROM sqlite_master WHERE name = 'session_change'")
      .get();
    writer.run("DROP TABLE session_change");
    writer.run(made?.sql ?? "");
    expect(log.read()).toBeNull();
  });

  test("cannot tell after a restored older copy of the content", async () => {
    const { log, writer, path } = await open();
    writer.run("UPDATE session SET expires_at = 1 WHERE token = 'a'");
    log.read();
    const copy = `${path}.copy`;
    writer.run("VACUUM INTO ?", [copy]);
    writer.run("UPDATE session SET expires_at = 2 WHERE token = 'b'");
    writer.run("UPDATE session SET expires_at = 3 WHERE token = 'c'");
    expect(tokens(log.read())).toEqual(["b", "c"]);
    restore(writer, copy);
    expect(log.read()).toBeNull();
    writer.run("UPDATE session SET expires_at = 4 WHERE token = 'a'");
    expect(log.read()).toEqual(["a"]);
  });
});

/** Puts the tables' content back as it was in a copy, as `.restore` and other tools do: sequence numbers included. */
function restore(writer: Database, copy: string): void {
  writer.run("ATTACH ? AS old", [copy]);
  writer.run("PRAGMA foreign_keys = OFF");
  writer.run("BEGIN IMMEDIATE");
  for (const table of ["session", "user", "session_change"]) {
    writer.run(`DELETE FROM main.${table}`);
    writer.run(`INSERT INTO main.${table} SELECT * FROM old.${table}`);
  }
  writer.run("DELETE FROM main.session_change WHERE seq > (SELECT max(seq) FROM old.session_change)");
  writer.run("DELETE FROM main.sqlite_sequence");
  writer.run("INSERT INTO main.sqlite_sequence SELECT * FROM old.sqlite_sequence");
  writer.run("COMMIT");
  writer.run("DETACH old");
}
