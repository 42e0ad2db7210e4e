import { afterEach, describe, expect, test } from "bun:test";
import {
  type Difference,
  type LegacyDatabase,
  openEmpty,
  openLegacy,
  person,
  tables,
  tagsAfterAdoption,
} from "./fixtures.ts";

const opened: LegacyDatabase[] = [];
const legacy = async (difference?: Difference) => {
  const database = await openLegacy("sqlite", difference);
  opened.push(database);
  return database;
};
afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
});

/** A database with sessions that hold `values` as their expiry, in a column of `type`. */
const withExpiry = (type: string, values: readonly string[]) =>
  legacy({
    columns: { "session.expires_at": `${type} NOT NULL` },
    then: [
      "DELETE FROM session",
      ...values.map(
        (value, at) =>
          `INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at) VALUES ('s${at}', 't${at}', 'ann', ${value}, 1767323045678, 1767323045678)`,
      ),
    ],
  });

describe("instants on SQLite", () => {
  test.each(["integer", "text", "datetime", "timestamp", "real", "numeric"])(
    "become milliseconds, however written, in a %s column",
    async (type) => {
      const written: [string, number][] = [
        ["1767323045678", 1_767_323_045_678],
        ["1767323045", 1_767_323_045_000],
        ["1767323045.678", 1_767_323_045_678],
        ["1767323045677.9998", 1_767_323_045_678],
        ["1767323045.67799", 1_767_323_045_678],
        ["'1767323045678'", 1_767_323_045_678],
        ["'1767323045'", 1_767_323_045_000],
        ["'2026-01-02T03:04:05.678Z'", 1_767_323_045_678],
        ["'2026-01-02T03:04:05.001Z'", 1_767_323_045_001],
        ["'2026-01-02T03:04:05+01:00'", 1_767_319_445_000],
        ["'2026-01-02 03:04:05'", 1_767_323_045_000],
        ["'9999-12-31T23:59:59.999Z'", 253_402_300_799_999],
        ["'1969-12-31T23:59:59.500Z'", -500],
        ["0", 0],
      ];
      // A text column makes text of a fraction, which only ISO 8601 text may have.
      const values = written.filter(([value]) => type !== "text" || !/^\d+\.\d/.test(value));
      const database = await withExpiry(
        type,
        values.map(([value]) => value),
      );
      expect(await database.migrate()).toEqual(tagsAfterAdoption);
      const rows = await database.query(
        "SELECT expires_at, typeof(expires_at) AS type FROM session ORDER BY CAST(substr(id, 2) AS integer)",
      );
      expect(rows).toEqual(values.map(([, ms]) => ({ expires_at: ms, type: "integer" })));
    },
  );

  test.each([
    ["a Julian day", "2460000.5"],
    ["microseconds", "1767323045678000"],
    ["seconds before 1990", "600000000"],
    ["seconds of the year 5138", "100000000000"],
    ["a negative number", "-1"],
    ["a local time", "'Fri Jan 02 2026 03:04:05 GMT+0100'"],
    ["a word SQLite takes for a time", "'now'"],
    ["a Julian day as text", "'2460000.5'"],
    ["a date that is none", "'2026-13-45'"],
    ["nothing", "''"],
    ["bytes", "x'00'"],
  ])("are refused as %s", async (_, value) => {
    const database = await withExpiry("datetime", ["1767323045", value]);
    const before = await database.content();
    expect(await database.refusal()).toEndWith(
      "\n  - 1 row of session whose expires_at is neither milliseconds nor seconds since 1970 nor ISO 8601 (id s1)",
    );
    expect(await database.content()).toEqual(before as object);
  });

  test("need no rows to make a text column hold integers", async () => {
    const database = await legacy({ columns: { "verification.expires_at": "text NOT NULL" }, rows: [] });
    await database.migrate();
    const columns = await database.query("SELECT name, type FROM pragma_table_info('verification')");
    expect(columns).toContainEqual({ name: "expires_at", type: "INTEGER" });
  });

  test("stay NULL where they may be", async () => {
    const database = await legacy({ columns: { "account.access_token_expires_at": "text" } });
    await database.migrate();
    expect(await database.query("SELECT access_token_expires_at AS at FROM account")).toEqual([{ at: null }]);
  });

  test.each(["CURRENT_TIMESTAMP", "(unixepoch())", "(strftime('%s', 'now'))"])(
    "have no default of %s afterwards",
    async (expression) => {
      const database = await legacy({
        columns: { "session.created_at": `integer DEFAULT ${expression} NOT NULL` },
      });
      await database.migrate();
      await database.query(
        "INSERT INTO session (id, token, user_id, expires_at, updated_at) VALUES ('new', 'new', 'ann', 1, 1)",
      );
      const [row] = await database.query("SELECT created_at AS at FROM session WHERE id = 'new'");
      expect(Math.abs(Number(row?.["at"]) - Date.now())).toBeLessThan(60_000);
    },
  );
});

describe("values on SQLite", () => {
  test.each([
    ["user", "email_verified", "2", "neither 0 nor 1"],
    ["user", "email_verified", "'true'", "neither 0 nor 1"],
    ["account", "password", "x'00'", "not text"],
  ])("refuses %s.%s = %s", async (table, column, value, fault) => {
    const database = await legacy({ then: [`UPDATE "${table}" SET ${column} = ${value}`] });
    const message = await database.refusal();
    expect(message).toContain(`1 row of ${table} `);
    expect(message).toContain(fault);
  });
});

describe("rebuilding on SQLite", () => {
  // A foreign key that does not cascade is reason enough.
  const rebuilt: Difference = { onDelete: "" };
  const definitions = async (database: LegacyDatabase) =>
    (await database.query("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).filter(({ name }) =>
      tables.some((table) => table === name),
    );

  test("spares tables that are right", async () => {
    const database = await legacy({
      then: [`CREATE TRIGGER seen AFTER INSERT ON "user" BEGIN SELECT 1; END`],
    });
    const before = await definitions(database);
    expect(await database.migrate()).toEqual(tagsAfterAdoption);
    expect(await definitions(database)).toEqual(before);
    const triggers = await database.query("SELECT name FROM sqlite_master WHERE type = 'trigger'");
    expect(triggers).toContainEqual({ name: "seen" });
  });

  test("makes required columns NOT NULL", async () => {
    const database = await legacy({ columns: { "user.name": "text" } });
    await database.migrate();
    expect(
      await database.query(`SELECT "notnull" FROM pragma_table_info('user') WHERE name = 'name'`),
    ).toEqual([{ notnull: 1 }]);
  });

  const obstacles: [string, Difference, string][] = [
    [
      "a trigger",
      { ...rebuilt, then: ["CREATE TRIGGER seen AFTER INSERT ON session BEGIN SELECT 1; END"] },
      "the trigger seen",
    ],
    ["a view", { ...rebuilt, then: ["CREATE VIEW live AS SELECT * FROM session"] }, "the view live"],
    ["a CHECK", { ...rebuilt, columns: { "session.kind": "text CHECK (kind <> '')" } }, "a CHECK clause"],
    ["a collation", { ...rebuilt, columns: { "session.kind": "text COLLATE NOCASE" } }, "a COLLATE clause"],
    [
      "a UNIQUE constraint",
      { ...rebuilt, columns: { "session.kind": "text UNIQUE" } },
      "UNIQUE constraint session(kind)",
    ],
    [
      "a generated column",
      { ...rebuilt, columns: { "session.kind": "text AS (lower(token))" } },
      "the generated column kind",
    ],
  ];
  test.each(obstacles)("is refused where it would lose %s", async (_, difference, named) => {
    const database = await legacy(difference);
    const before = await database.content();
    const message = await database.refusal();
    expect(message).toContain(named);
    expect(message).toContain("user_id must refer to user.id with ON DELETE CASCADE");
    expect(await database.content()).toEqual(before as object);
  });

  test("is not stopped by what only looks like a constraint", async () => {
    const database = await legacy({
      ...rebuilt,
      columns: { "session.check": "text DEFAULT 'COLLATE' /* STRICT */" },
      then: ["CREATE VIEW other AS SELECT 1"],
    });
    expect(await database.migrate()).toEqual(tagsAfterAdoption);
    expect(await database.query('SELECT "check" FROM session')).toEqual([{ check: "COLLATE" }]);
  });

  test("replaces the constraints that SQLite makes indexes for", async () => {
    const database = await legacy({
      ...rebuilt,
      unique: false,
      columns: { "session.token": "text NOT NULL UNIQUE", "user.email": "text NOT NULL UNIQUE" },
    });
    await database.migrate();
    const found = await database.query(
      "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%UNIQUE%' ORDER BY name",
    );
    // The user table was right as it stood, its own constraint included.
    expect(found.map(({ name }) => name)).toEqual(["account_provider_account_uidx", "session_token_unique"]);
  });

  test("takes names in other letter case for what SQLite takes them", async () => {
    const database = await openEmpty("sqlite");
    opened.push(database);
    const source = await legacy({ onDelete: "ON DELETE no action" });
    for (const { sql } of await source.query("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")) {
      await database.query(
        String(sql).replace(
          /CREATE TABLE "(.)/,
          (_, letter: string) => `CREATE TABLE "${letter.toUpperCase()}`,
        ),
      );
    }
    await database.query("CREATE INDEX session_user_agent_idx ON Session (user_agent)");
    const [user] = person("sqlite", "ann");
    const row = user?.[1] ?? {};
    const names = Object.keys(row);
    await database.query(
      `INSERT INTO "User" (${names.join()}) VALUES (${names.map((_, at) => `$${at + 1}`).join()})`,
      Object.values(row),
    );
    expect(await database.migrate()).toEqual(tagsAfterAdoption);
    expect(await database.query("SELECT email FROM user")).toEqual([{ email: "ann@example.com" }]);
    expect(
      await database.query("SELECT tbl_name FROM sqlite_master WHERE name = 'session_user_agent_idx'"),
    ).toEqual([{ tbl_name: "session" }]);
  });
});
