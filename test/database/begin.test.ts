import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { openDatabase } from "../../src/database/open.ts";
import { openTestDatabase } from "../support/databases.ts";

setDefaultTimeout(60_000);

describe.each(["postgres", "neon"] as const)("begin on %s", (dialect) => {
  test("bounds a request's statements to 4 s, and a migration's by what it is given", async () => {
    const outside = await openTestDatabase(dialect);
    const database = openDatabase(
      dialect === "neon"
        ? { driver: "neon", url: outside.url, proxy: outside.env["LATCHKEY_NEON_PROXY"] ?? null }
        : { driver: "postgres", url: outside.url },
      () => {},
    );
    const sleep = async (statementTimeoutMs?: number) => {
      const transaction = await database.begin(statementTimeoutMs);
      try {
        await transaction.query("SELECT pg_sleep(4.5)");
        return "slept";
      } catch {
        return "cut";
      } finally {
        await transaction.rollback();
      }
    };
    expect(await Promise.all([sleep(), sleep(20_000)])).toEqual(["cut", "slept"]);
    await database.close();
    await outside.close();
  });
});
