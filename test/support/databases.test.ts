import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Database } from "bun:sqlite";
import { existsSync, mkdirSync } from "node:fs";
import { SQL } from "bun";
import { dialects, openTestDatabase } from "./databases.ts";

setDefaultTimeout(60_000);

/** What latchkey does before anybody asks: SQLite's file is never made from outside. */
function createFile(env: Readonly<Record<string, string>>): void {
  if (env["LATCHKEY_DATABASE_DRIVER"] !== "sqlite") return;
  mkdirSync(env["LATCHKEY_DATA_DIR"] ?? "", { mode: 0o700 });
  new Database(env["DATABASE_URL"]?.slice("file:".length), { create: true }).run("PRAGMA journal_mode = WAL");
}

describe.each(dialects)("openTestDatabase(%s)", (dialect) => {
  test("answers from outside, parameters by number", async () => {
    const database = await openTestDatabase(dialect);
    createFile(database.env);
    await database.query("CREATE TABLE mark (id integer, name text)");
    await database.query("INSERT INTO mark (name, id) VALUES ($2, $1)", [7, "seven"]);
    expect(await database.query("SELECT id, name FROM mark WHERE name = $1", ["seven"])).toEqual([
      { id: 7, name: "seven" },
    ]);
    await database.close();
  });

  test("sets what latchkey needs, the secret anew each time, and no data directory yet", async () => {
    const [first, second] = await Promise.all([openTestDatabase(dialect), openTestDatabase(dialect)]);
    expect(Object.keys(first.env).toSorted()).toEqual(
      [
        "BETTER_AUTH_SECRET",
        "DATABASE_URL",
        "LATCHKEY_DATABASE_DRIVER",
        "LATCHKEY_DATA_DIR",
        ...(dialect === "neon" ? ["LATCHKEY_NEON_PROXY"] : []),
      ].toSorted(),
    );
    expect(first.env["DATABASE_URL"]).toBe(first.url);
    expect(first.url).not.toBe(second.url);
    expect(first.env["BETTER_AUTH_SECRET"]).not.toBe(second.env["BETTER_AUTH_SECRET"]);
    expect(existsSync(first.env["LATCHKEY_DATA_DIR"] ?? "")).toBe(false);
    await Promise.all([first.close(), second.close()]);
  });
});

describe("openTestDatabase(postgres)", () => {
  test("puts a network in between that can stall, but not for questions from outside", async () => {
    const database = await openTestDatabase("postgres");
    const sql = new SQL(database.url, { max: 1 });
    await sql`SELECT 1`;
    database.network?.stall(true);
    let answered = false;
    const answer = sql`SELECT 1`.then(() => (answered = true));
    expect(await database.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
    expect(answered).toBe(false);
    database.network?.stall(false);
    await answer;
    await sql.close();
    await database.close();
  });
});
