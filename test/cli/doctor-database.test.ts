import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { clockCheck } from "../../src/doctor/database-check.ts";
import { type Dialect, dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { diagnoseBy } from "./doctor-run.ts";
import { runCommand } from "./run-command.ts";

describe.each(dialects)("latchkey doctor on %s", (dialect) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    await runCommand(["migrate"], { env: database.env });
  });
  afterAll(() => database.close());

  test("finds database, clock and schema as they should be", async () => {
    const { exitCode, only } = await diagnoseBy({ env: database.env });
    expect(exitCode).toBe(0);
    expect(["database", "clock", "schema"].map((name) => only(name).status)).toEqual(["ok", "ok", "ok"]);
    expect(only("database").detail).toMatch(
      dialect === "sqlite" ? /^SQLite 3\.\d+/ : /^PostgreSQL 18.* ms a round trip$/,
    );
    expect(only("schema").detail).toContain("0000_init");
  });

  test.each([
    { aheadMs: 5_000, status: "warning", detail: "5.0 s behind" },
    { aheadMs: -5_000, status: "warning", detail: "5.0 s ahead" },
    { aheadMs: 60_000, status: "failure", detail: "60.0 s behind" },
  ])(
    "S87: judges a clock that is $aheadMs ms ahead of the database's",
    async ({ aheadMs, status, detail }) => {
      const { exitCode, only } = await diagnoseBy({ env: database.env, now: () => Date.now() + aheadMs });
      const check = only("clock");
      expect({ exitCode, ...check }).toMatchObject({ exitCode: status === "failure" ? 1 : 0, status });
      // Rounded to a tenth; measured to half a round trip.
      expect(
        check.detail.replace(/\d+\.\d s/, (seconds) => `${Number.parseFloat(seconds).toFixed(0)}.0 s`),
      ).toContain(detail);
    },
  );

  test("tells pending migrations, and a newer executable's", async () => {
    const other = await openTestDatabase(dialect);
    try {
      if (dialect !== "sqlite") {
        expect((await diagnoseBy({ env: other.env })).only("schema")).toMatchObject({
          status: "warning",
          detail: expect.stringContaining("pending: 0000_init"),
        });
      }
      await runCommand(["migrate"], { env: other.env });
      await insertMigration(other, "9998_harmless", 1);
      const { exitCode, only } = await diagnoseBy({ env: other.env });
      expect({ exitCode, schema: only("schema").status }).toEqual({ exitCode: 0, schema: "warning" });
      await insertMigration(other, "9999_drastic", 1000);
      const after = await diagnoseBy({ env: other.env });
      expect({ exitCode: after.exitCode, schema: after.only("schema").status }).toEqual({
        exitCode: 1,
        schema: "failure",
      });
      expect(after.only("database").status).toBe("ok");
    } finally {
      await other.close();
    }
  });
});

describe.each(["postgres", "neon"] satisfies Dialect[])(
  "latchkey doctor without its %s server",
  (dialect) => {
    test("fails the database and still checks the rest", async () => {
      const database = await openTestDatabase(dialect);
      await database.close();
      const { exitCode, checks, only } = await diagnoseBy({ env: database.env });
      expect({
        exitCode,
        failing: checks.filter(({ status }) => status === "failure").map(({ name }) => name),
      }).toEqual({
        exitCode: 1,
        failing: ["database"],
      });
      // That is said to clients; an operator wants the cause.
      expect(only("database").detail).not.toContain("is not available");
      expect(only("database").detail).toStartWith(`the ${dialect} server cannot be used: `);
      expect(only("database").detail).not.toContain(new URL(database.url).password);
      expect(only("topology").status).toBe("ok");
    });
  },
);

describe("S87: clockCheck", () => {
  test.each([
    [0, 0, "ok"],
    [999, 0, "ok"],
    [-1_500, 0, "warning"],
    // The measurement may be off by that much.
    [1_500, 600, "ok"],
    [30_100, 0, "failure"],
    [30_100, 200, "warning"],
    [Number.NaN, 0, "failure"],
  ] as const)("of %p ms, give or take %p, is %s", (skewMs, uncertaintyMs, status) => {
    expect(clockCheck(skewMs, uncertaintyMs).status).toBe(status);
  });
});

async function insertMigration(database: TestDatabase, tag: string, minReader: number): Promise<void> {
  const insert = "INSERT INTO latchkey_migration (tag, hash, min_reader, applied_at) VALUES ($1, 'x', $2, 0)";
  await database.query(insert, [tag, minReader]);
}
