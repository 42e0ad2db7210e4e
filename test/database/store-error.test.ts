import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import {
  errorCode,
  isRefusal,
  isUniqueViolation,
  storeFailure,
  storeUnavailable,
} from "../../src/database/store-error.ts";

const failing = (sql: string) => {
  const db = new Database(":memory:");
  db.run("CREATE TABLE t (id TEXT PRIMARY KEY, x TEXT UNIQUE, n TEXT NOT NULL DEFAULT 'n')");
  db.run("INSERT INTO t (id, x) VALUES ('1', 'x')");
  try {
    db.run(sql);
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
};
const wrapped = (error: unknown, depth: number): Error =>
  new Error("outer", { cause: depth === 0 ? error : wrapped(error, depth - 1) });

describe("errorCode", () => {
  test.each([
    // Bun's PostgreSQL client: its own name for the kind in `code`, the SQLSTATE in `errno`.
    ["a PostgreSQL refusal", { code: "ERR_POSTGRES_SERVER_ERROR", errno: "23505" }, "23505"],
    ["a lost connection", { code: "ERR_POSTGRES_CONNECTION_CLOSED" }, "ERR_POSTGRES_CONNECTION_CLOSED"],
    // Neon's keeps it in `code`.
    ["a refusal through Neon", { code: "57P01" }, "57P01"],
    // A system error's `errno` is a number.
    ["a system's error", { code: "ECONNREFUSED", errno: -111 }, "ECONNREFUSED"],
    ["an error without one", {}, undefined],
  ])("of %s", (_what, fields, code) => {
    expect(errorCode(Object.assign(new Error("x"), fields))).toBe(code as string);
  });

  test.each(["23505", null, undefined, { code: "23505" }])("of %j, which is no error, is none", (thrown) => {
    expect(errorCode(thrown)).toBeUndefined();
  });

  test("is the innermost of a chain, and ends with it", () => {
    const inner = Object.assign(new Error("inner"), { code: "SQLITE_BUSY" });
    expect(errorCode(Object.assign(wrapped(inner, 2), { code: "OUTER" }))).toBe("SQLITE_BUSY");
    const circular = new Error("circular");
    circular.cause = circular;
    expect(errorCode(circular)).toBeUndefined();
  });
});

describe("isUniqueViolation", () => {
  test.each([
    ["a taken unique value", "INSERT INTO t (id, x) VALUES ('2', 'x')", true],
    ["a taken primary key", "INSERT INTO t (id, x) VALUES ('1', 'y')", true],
    ["another constraint", "INSERT INTO t (id, n) VALUES ('3', NULL)", false],
    ["no such table", "INSERT INTO u VALUES (1)", false],
  ])("of %s on SQLite: %p", (_what, sql, is) => {
    expect([isUniqueViolation(failing(sql)), isUniqueViolation(wrapped(failing(sql), 1))]).toEqual([is, is]);
  });

  test.each([
    ["23505", true],
    ["23503", false],
    ["40001", false],
  ])("of SQLSTATE %s: %p", (errno, is) => {
    expect(isUniqueViolation(wrapped(Object.assign(new Error("x"), { errno }), 0))).toBe(is);
  });
});

describe("storeUnavailable", () => {
  test("is a 503 that says when to come back, and tells the client nothing else", () => {
    const cause = new Error("connect ECONNREFUSED 10.0.0.7:5432");
    const error = storeUnavailable(cause);
    expect(error).toMatchObject({
      status: 503,
      code: "STORE_UNAVAILABLE",
      headers: { "Retry-After": "1" },
      cause,
    });
    expect(error.message).not.toMatch(/10\.0\.0\.7|ECONN/);
  });
});

describe("C15: isRefusal", () => {
  test.each([
    "22001",
    "22P02",
    "23502",
    "23503",
    "23514",
    "44000",
    "P0001",
    "42703",
    "42P01",
    "42501",
    "0A000",
  ])("SQLSTATE %s would come again", (errno) => {
    const error = wrapped(Object.assign(new Error("x"), { errno }), 1);
    expect(isRefusal(error)).toBe(true);
    expect(storeFailure(error)).toMatchObject({ status: 500, code: "INTERNAL_SERVER_ERROR", headers: {} });
  });

  test.each([
    "08006",
    "25006",
    "26000",
    "28P01",
    "40001",
    "40P01",
    "42P05",
    "53100",
    "53300",
    "55P03",
    "57014",
    "57P01",
    "58030",
    "XX000",
    "ERR_POSTGRES_CONNECTION_CLOSED",
    "SQLITE_BUSY",
    "SQLITE_FULL",
    "SQLITE_IOERR_WRITE",
    "SQLITE_CORRUPT",
    "SQLITE_READONLY",
    "SQLITE_CANTOPEN",
  ])("%s may pass", (code) => {
    const error = Object.assign(new Error("x"), { code });
    expect(isRefusal(error)).toBe(false);
    expect(storeFailure(error)).toMatchObject({ status: 503, code: "STORE_UNAVAILABLE" });
  });

  test.each([
    ["a check", "CREATE TABLE c (x CHECK (x > 0)); INSERT INTO c VALUES (-1)"],
    ["a missing value", "INSERT INTO t (id, n) VALUES ('3', NULL)"],
    ["a missing column", "INSERT INTO t (id, y) VALUES ('3', 'y')"],
    [
      "a trigger",
      "CREATE TRIGGER f BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'no'); END; INSERT INTO t (id) VALUES ('4')",
    ],
  ])("%s of SQLite would come again", (_what, sql) => {
    expect(isRefusal(failing(sql))).toBe(true);
  });
});
