import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Dialect, dialects, openTestDatabase } from "../support/databases.ts";
import { runLatchkey } from "../support/executable.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const lines = (records: readonly object[]) => records.map((record) => `${JSON.stringify(record)}\n`).join("");

/** A database with its tables, and what runs on it. */
async function open(dialect: Dialect) {
  const database = await openTestDatabase(dialect);
  let { env } = database;
  const users = async (args: readonly string[], stdin?: string) =>
    await runLatchkey(["users", ...args], { env, ...(stdin === undefined ? {} : { stdin }) });
  expect((await runLatchkey(["migrate"], { env })).exitCode).toBe(0);
  return {
    ...database,
    users,
    /** Signs with another secret from now on, and knows the one before. */
    rotate() {
      const older = String(env["BETTER_AUTH_SECRET"]);
      const newer = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
      env = { ...env, BETTER_AUTH_SECRET: newer, BETTER_AUTH_SECRETS: `2:${newer},1:${older}` };
    },
    async importText(text: string, ...args: readonly string[]) {
      const { exitCode, stdout } = await users(["import", "-", "--json", ...args], text);
      const { imported, there, refusals } = JSON.parse(stdout);
      return { exitCode, imported, there, refusals };
    },
    count: async () => Number((await database.query('SELECT count(*) AS users FROM "user"'))[0]?.["users"]),
  };
}

test("an import of nothing at all is no success: a failed export wrote it", async () => {
  const { users, close } = await open(dialects[0] ?? "sqlite");
  for (const [args, says] of [
    [["--format", "csv"], "header: is missing"],
    [["--format", "jsonl"], "file: has no users"],
    [["--atomic"], "file: has no users"],
    [["--dry-run"], "file: has no users"],
  ] as const) {
    const { exitCode, stdout, stderr } = await users(["import", "-", ...args], "");
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(`Error: ${says}\nTry: `);
  }
  await close();
});

test.each(dialects.filter((dialect) => dialect !== "sqlite"))(
  "an import that fails in the middle says how far it came, as JSON too, on %s",
  async (dialect) => {
    const { users, query, count, close } = await open(dialect);
    await query(
      `CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$`,
    );
    await query(
      `CREATE TRIGGER leaves BEFORE INSERT ON "user" FOR EACH ROW WHEN (NEW.email = 'u900@example.com') EXECUTE FUNCTION leave()`,
    );
    const records = Array.from({ length: 1_000 }, (_, at) => ({ email: `u${at}@example.com` }));
    const text = lines([{ email: "bogus" }, ...records]);
    for (const args of [["--atomic"], []]) {
      const { exitCode, stdout } = await users(["import", "-", "--json", ...args], text);
      const imported = await count();
      expect({ exitCode, printed: JSON.parse(stdout) }).toEqual({
        exitCode: 1,
        printed: {
          error: { message: expect.any(String), remedy: expect.any(String) },
          imported,
          there: 0,
          refused: 1,
        },
      });
      if (args[0] === "--atomic") expect(imported).toBe(0);
      else expect(imported).toBeWithin(200, 900);
    }
    await close();
  },
);

describe.each(dialects)("the same import again on %s", (dialect) => {
  test("knows its own by an older secret, whose address was changed too, in every mode", async () => {
    const { users, rotate, importText, count, close } = await open(dialect);
    const text = lines([{ email: "ann@example.com" }, { email: "ben@example.com" }]);
    expect(await importText(text)).toMatchObject({ exitCode: 0, imported: 2 });
    expect((await users(["set-email", "ann@example.com", "other@example.com"])).exitCode).toBe(0);
    const shown = await users(["show", "other@example.com", "--json"]);
    const { id } = JSON.parse(shown.stdout).user;
    const isSaid = async () => {
      for (const args of [["--dry-run"], [], ["--atomic"]])
        expect([args, await importText(text, ...args)]).toEqual([
          args,
          {
            exitCode: 2,
            imported: 0,
            there: args[0] === "--atomic" ? expect.any(Number) : 1,
            refusals: [
              {
                line: 1,
                field: "email",
                reason: "ann@example.com was imported before, and has another address now",
                remedy: `leave the line out; latchkey users show ${id} tells the address`,
              },
            ],
          },
        ]);
    };
    await isSaid();
    rotate();
    await isSaid();
    expect(await count()).toBe(2);
    await close();
  });

  test("refuses by its line who is on an earlier one too, the same in every mode", async () => {
    const { users, importText, count, close } = await open(dialect);
    const someone = (at: number) => ({ email: `twin${at}@example.com` });
    // One in the same batch, and one in a later one.
    const records = [
      ...Array.from({ length: 300 }, (_, at) => someone(at)),
      someone(299),
      { ...someone(300), id: "same" },
      { ...someone(301), id: "same" },
      { email: "TWIN0@example.com" },
    ];
    const text = lines(records);
    const file = join(temporaryDirectory("again"), "users.jsonl");
    writeFileSync(file, text);
    const found = [
      [301, "email"],
      [303, "id"],
      [304, "email"],
    ];
    const refusalsOf = async (...args: readonly string[]) => {
      const { exitCode, stdout } = await users(["import", ...args, "--json"], args[0] === "-" ? text : "");
      const { imported, there, refused, refusals } = JSON.parse(stdout);
      const said = refusals.map(({ line, field }: { line: number; field: string }) => [line, field]);
      return { exitCode, imported, there, refused, said };
    };
    const same = { exitCode: 2, there: 0, refused: 3, said: found };
    expect(await refusalsOf(file, "--dry-run")).toEqual({ ...same, imported: 301 });
    expect(await refusalsOf(file, "--atomic")).toEqual({ ...same, imported: 0 });
    expect(await refusalsOf("-", "--atomic")).toEqual({ ...same, imported: 0 });
    expect(await count()).toBe(0);
    expect(await refusalsOf(file)).toEqual({ ...same, imported: 301 });
    for (const args of [["--dry-run"], [], ["--atomic"]])
      expect(await refusalsOf(file, ...args)).toEqual({ ...same, imported: 0, there: 301 });
    expect(await importText(lines(records.slice(0, 300)))).toMatchObject({ exitCode: 0, there: 300 });
    await close();
  });
});
