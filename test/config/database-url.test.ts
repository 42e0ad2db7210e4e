import { describe, expect, test } from "bun:test";
import { load, problemsOf, STRONG_SECRET } from "./load.ts";

const SECRET = { BETTER_AUTH_SECRET: STRONG_SECRET };
const NEON_URL = "postgresql://app:pw@ep-cool-1.eu-central-1.aws.neon.tech/auth?sslmode=require";
const LOCAL_URL = "postgres://app:pw@127.0.0.1:5432/auth";

function databaseOf(env: Readonly<Record<string, string>>) {
  return load({ ...SECRET, ...env }).config.database;
}

function variablesOf(env: Readonly<Record<string, string>>) {
  return problemsOf({ ...SECRET, ...env }).map(({ variable }) => variable);
}

describe("DATABASE_URL", () => {
  test.each([
    ["file:./x.db", "/srv/latchkey/x.db"],
    ["file:x.db", "/srv/latchkey/x.db"],
    ["file:../x.db", "/srv/x.db"],
    ["file:/abs/x.db", "/abs/x.db"],
    ["file:///abs/x.db", "/abs/x.db"],
    ["file://localhost/abs/x.db", "/abs/x.db"],
    ["file:///a%20b/%23.db", "/a b/#.db"],
    ["file:memory.db", "/srv/latchkey/memory.db"],
    ["file:a//localhost/x.db", "/srv/latchkey/a/localhost/x.db"],
    ["file:a~/...", "/srv/latchkey/a~/..."],
    [" file:./x.db ", "/srv/latchkey/x.db"],
  ])("%s is the SQLite file %s", (url, path) => {
    expect(databaseOf({ DATABASE_URL: url })).toEqual({ driver: "sqlite", path });
  });

  test.each(["disable", "prefer", "require", "verify-ca", "verify-full"])("takes sslmode=%s", (mode) => {
    const url = `postgres://app:pw@db.example.com/auth?sslmode=${mode}`;
    expect(databaseOf({ DATABASE_URL: url })).toEqual({ driver: "postgres", url, connections: 16 });
  });

  test.each([
    LOCAL_URL,
    "postgresql://app@[::1]/auth",
    "postgres://app:p@ss@db/auth",
    "postgres://u:%2F%40@db",
  ])("%s is PostgreSQL", (url) => {
    expect(databaseOf({ DATABASE_URL: url })).toEqual({ driver: "postgres", url, connections: 16 });
  });

  test("a Neon host takes Neon's driver", () => {
    expect(databaseOf({ DATABASE_URL: NEON_URL })).toEqual({
      driver: "neon",
      url: NEON_URL,
      connections: 16,
      proxy: null,
    });
    const upper = NEON_URL.replace("neon.tech", "NEON.tech");
    expect(databaseOf({ DATABASE_URL: upper })).toMatchObject({ driver: "neon" });
  });

  test("a comma in a password is no second host", () => {
    const url = "postgres://app:pw,2@db.example.com/auth";
    expect(databaseOf({ DATABASE_URL: url })).toMatchObject({ driver: "postgres", url });
  });

  test.each(["postgres://app:pw@notneon.tech/auth", "postgres://app:pw@x.neon.tech.evil.com/auth"])(
    "%s is no Neon host",
    (url) => {
      expect(databaseOf({ DATABASE_URL: url })).toMatchObject({ driver: "postgres" });
    },
  );

  test.each([
    ["postgres://u:p@h/db?sslmode=allow", "sslmode"],
    ["postgres://u:p@h/db?sslmode=REQUIRE", "sslmode"],
    ["postgres://u:p@h/db?sslmode=", "sslmode"],
    ["postgres://u:p@h/db?sslmode=require&sslmode=disable", "more than one sslmode"],
    ["postgres://u:p@h,i/db", "more than one host"],
    ["postgres://u:p@h:5432,i:5432/db", "more than one host"],
    ["postgres://h,i/db", "more than one host"],
    ["postgres://u:p#q@h/db", "not a valid URL"],
    ["postgres://u:12/q@h/db", "not a valid URL"],
    ["postgres://u:12?q@h/db", "not a valid URL"],
    ["postgres://u:p@h:port/db", "not a valid URL"],
    ["postgres://u:p@h1,h2/db", "host"],
    ["postgres://u:50%@h/db", "percent-encoded"],
    ["postgres:///db", "host"],
    ["postgres://", "host"],
    ["postgres:db", "host"],
    ["postgresql+asyncpg://u:p@h/db", "SQLAlchemy"],
    ["mysql://u:p@h/db", "mysql"],
    ["mongodb+srv://u:p@h/db", "mongodb"],
    ["libsql://h", "libsql"],
    ["sqlite:///x.db", "sqlite"],
    ["mariadb://u:p@h/db", "mariadb"],
    ["mongodb://u:p@h/db", "mongodb"],
    ["https://h/db", "https"],
    ["xpostgres+x://h", "neither"],
    ["file:~", "shell"],
    ["file:a//b/../", "no file"],
    ["./x.db", "neither"],
    ["x.db", "neither"],
    ["file:", "no file"],
    ["file:.", "no file"],
    ["file:/data/", "no file"],
    ["file:/data/..", "no file"],
    ["file::memory:", "in-memory"],
    ["file:x.db?mode=memory", "query"],
    ["file://server/x.db", "another machine"],
    ["file:100%.db", "percent-encoded"],
    ["file:~/x.db", "shell"],
  ])("refuses %s: %s", (url, reason) => {
    expect(problemsOf({ ...SECRET, DATABASE_URL: url })).toEqual([
      { variable: "DATABASE_URL", reason: expect.stringContaining(reason), remedy: expect.any(String) },
    ]);
  });

  test.each([
    ["postgres://app:pw@db.example.com/auth", 1],
    ["postgres://app:pw@db.example.com/auth?sslmode=prefer", 1],
    ["postgres://app:pw@db.example.com/auth?sslmode=disable", 1],
    ["postgres://app:pw@db.example.com/auth?sslmode=require", 0],
    [LOCAL_URL, 0],
    [NEON_URL.replace("?sslmode=require", ""), 0],
  ])("%s gives %i warnings about encryption", (url, count) => {
    expect(load({ ...SECRET, DATABASE_URL: url }).warnings).toHaveLength(count);
  });

  test.each([
    ["postgres://app:pw@db/auth?sslmode=require", "postgres://app:********@db/auth?sslmode=require"],
    ["postgres://app@db/auth", "postgres://app@db/auth"],
    [
      "postgres://app@db:5433/auth?password=pw&sslmode=require",
      "postgres://app@db:5433/auth?sslmode=require&…",
    ],
    ["file:./x.db", "file:///srv/latchkey/x.db"],
  ])("%s is shown as %s", (url, shown) => {
    const { settings } = load({ ...SECRET, DATABASE_URL: url });
    expect(settings.find(({ name }) => name === "DATABASE_URL")?.value).toBe(shown);
  });
});

describe("LATCHKEY_DATABASE_DRIVER", () => {
  test("overrides the choice by URL", () => {
    expect(databaseOf({ DATABASE_URL: NEON_URL, LATCHKEY_DATABASE_DRIVER: "postgres" })).toEqual({
      driver: "postgres",
      url: NEON_URL,
      connections: 16,
    });
    expect(databaseOf({ DATABASE_URL: LOCAL_URL, LATCHKEY_DATABASE_DRIVER: "neon" })).toEqual({
      driver: "neon",
      url: LOCAL_URL,
      connections: 16,
      proxy: null,
    });
    expect(databaseOf({ LATCHKEY_DATABASE_DRIVER: "sqlite" })).toMatchObject({ driver: "sqlite" });
  });

  test.each([
    [{ DATABASE_URL: NEON_URL }, { value: "neon", source: "default" }],
    [
      { DATABASE_URL: NEON_URL, LATCHKEY_DATABASE_DRIVER: "postgres" },
      { value: "postgres", source: "environment" },
    ],
    [{}, { value: "sqlite", source: "default" }],
  ])("is shown as it turns out: %j", (env, shown) => {
    const { settings } = load({ ...SECRET, ...env });
    expect(settings.find(({ name }) => name === "LATCHKEY_DATABASE_DRIVER")).toMatchObject(shown);
  });

  test.each([
    ["file:./x.db", "is postgres, but DATABASE_URL names a file"],
    ["", "is postgres, but DATABASE_URL is not set"],
  ])("says what DATABASE_URL=%s is", (url, reason) => {
    expect(problemsOf({ DATABASE_URL: url, LATCHKEY_DATABASE_DRIVER: "postgres" })).toMatchObject([
      { reason },
    ]);
  });

  test("warns that Neon's driver needs a proxy elsewhere", () => {
    const env = { ...SECRET, DATABASE_URL: LOCAL_URL, LATCHKEY_DATABASE_DRIVER: "neon" };
    expect(load(env).warnings).toEqual([expect.stringContaining("LATCHKEY_NEON_PROXY")]);
    expect(load({ ...env, LATCHKEY_NEON_PROXY: "ws://localhost:5433" }).warnings).toEqual([]);
    expect(load({ ...env, DATABASE_URL: NEON_URL }).warnings).toEqual([]);
  });

  test.each([
    [{ LATCHKEY_DATABASE_DRIVER: "postgres" }],
    [{ LATCHKEY_DATABASE_DRIVER: "neon" }],
    [{ LATCHKEY_DATABASE_DRIVER: "neon", DATABASE_URL: "file:./x.db" }],
    [{ LATCHKEY_DATABASE_DRIVER: "sqlite", DATABASE_URL: LOCAL_URL }],
  ])("refuses %j", (env) => {
    expect(variablesOf(env)).toEqual(["LATCHKEY_DATABASE_DRIVER"]);
  });
});

describe("LATCHKEY_DATABASE_CONNECTIONS", () => {
  test.each([LOCAL_URL, NEON_URL])("bounds those to %s", (url) => {
    expect(databaseOf({ DATABASE_URL: url, LATCHKEY_DATABASE_CONNECTIONS: "4" })).toMatchObject({
      connections: 4,
    });
  });

  test.each(["1", "0", "101", "many", "4.5"])("refuses %s", (connections) => {
    const env = { DATABASE_URL: LOCAL_URL, LATCHKEY_DATABASE_CONNECTIONS: connections };
    expect(variablesOf(env)).toEqual(["LATCHKEY_DATABASE_CONNECTIONS"]);
  });
});

describe("LATCHKEY_NEON_PROXY", () => {
  test("is checked even when the database is refused", () => {
    expect(variablesOf({ DATABASE_URL: "mysql://h", LATCHKEY_NEON_PROXY: "x" })).toEqual([
      "DATABASE_URL",
      "LATCHKEY_NEON_PROXY",
    ]);
  });

  test.each([
    "wss://proxy.example.com/v2",
    "wss://proxy.example.com:8443",
    "ws://localhost:5433/v2",
    "ws://127.0.0.1:5433/v1",
    "ws://[::1]:5433/v1",
  ])("takes %s", (proxy) => {
    expect(databaseOf({ DATABASE_URL: NEON_URL, LATCHKEY_NEON_PROXY: proxy })).toEqual({
      driver: "neon",
      url: NEON_URL,
      connections: 16,
      proxy,
    });
  });

  test.each([
    "ws://proxy.example.com/v2",
    "ws://0.0.0.0:5433",
    "http://localhost:5433/v2",
    "localhost:5433/v2",
    "xws://localhost:5433",
    "ws:localhost:5433",
    "wss://user:pw@proxy.example.com/v2",
    "wss://proxy.example.com/v2?x=1",
    "wss://",
  ])("refuses %s", (proxy) => {
    expect(variablesOf({ DATABASE_URL: NEON_URL, LATCHKEY_NEON_PROXY: proxy })).toEqual([
      "LATCHKEY_NEON_PROXY",
    ]);
  });

  test.each([
    [{}],
    [{ DATABASE_URL: LOCAL_URL }],
    [{ DATABASE_URL: NEON_URL, LATCHKEY_DATABASE_DRIVER: "postgres" }],
  ])("is refused without Neon's driver: %j", (env) => {
    expect(variablesOf({ ...env, LATCHKEY_NEON_PROXY: "ws://localhost:5433/v2" })).toEqual([
      "LATCHKEY_NEON_PROXY",
    ]);
  });
});
