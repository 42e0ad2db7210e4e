import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { readDocument } from "../support/readme.ts";

setDefaultTimeout(60_000);

const { blocks } = readDocument("docs/operations.md");
const blockOf = (marker: string) => {
  const code = blocks.find((block) => block.marker === marker)?.code;
  if (code === undefined) throw new Error(`docs/operations.md has no <!-- ${marker} -->`);
  return code;
};

describe.each(dialects.filter((dialect) => dialect !== "neon"))(
  "10-B7: the SQL of docs/operations.md on %s",
  (dialect) => {
    let database: TestDatabase;
    let server: RunningLatchkey;
    beforeAll(async () => {
      database = await openTestDatabase(dialect);
      server = await spawnLatchkey({ env: database.env });
    });
    afterAll(async () => {
      await server.stop();
      await database.close();
    });

    const password = "correct horse battery";
    const signUp = async (email: string, chosen = password) => {
      const client = createClient(server.origin);
      expect((await client.auth.signUp.email({ email, password: chosen, name: "Ann" })).error).toBeNull();
      return client;
    };
    const canSignIn = async (email: string, tried = password) =>
      (await createClient(server.origin).auth.signIn.email({ email, password: tried })).error === null;
    const verify = async (client: ReturnType<typeof createClient>) =>
      (await client.fetch("/api/auth/verify")).status;
    /** On one connection, as a shell has it. */
    const run = async (marker: string) => {
      const sql = blockOf(`sql: ${marker}`);
      if (dialect === "sqlite") {
        const { Database } = await import("bun:sqlite");
        const shell = new Database(database.url.slice("file:".length));
        shell.run(sql);
        shell.close();
      } else {
        // PostgreSQL has no PRAGMA, and keeps foreign keys.
        for (const statement of sql.replace(/^PRAGMA.*\n/m, "").split(";\n")) await database.query(statement);
      }
    };
    const rows = async (table: string) =>
      Number((await database.query(`SELECT count(*) AS n FROM ${table}`))[0]?.["n"]);

    test("signs somebody out everywhere, locks him, sets another password, and deletes him", async () => {
      const email = "ann@example.com";
      const client = await signUp(email);
      const bystander = await signUp("ben@example.com");
      await run("sign-out");
      expect([await verify(client), await canSignIn(email)]).toEqual([401, true]);
      await run("lock");
      expect(await canSignIn(email)).toBe(false);
      await signUp("reset@example.com", "a new good password");
      await run("reset");
      expect([await canSignIn(email), await canSignIn(email, "a new good password")]).toEqual([false, true]);
      expect(await canSignIn("reset@example.com", "a new good password")).toBe(false);
      await run("delete");
      expect(await canSignIn(email, "a new good password")).toBe(false);
      expect(await verify(bystander)).toBe(200);
      expect([await rows('"user"'), await rows("account"), await rows("session")]).toEqual([1, 1, 1]);
    });

    test("leaves the password as it is where the helper was forgotten", async () => {
      const email = "ann@example.com";
      await signUp(email);
      await run("reset");
      expect(await canSignIn(email)).toBe(true);
      await run("delete");
    });
  },
);

test("the command of docs/operations.md hashes an address as the log does", async () => {
  const database = await openTestDatabase("sqlite");
  const server = await spawnLatchkey({ env: database.env });
  const body = JSON.stringify({ email: "Ann@example.com", password: "wrong horse battery" });
  const headers = { "content-type": "application/json" };
  await fetch(`${server.url}/api/auth/sign-in/email`, { method: "POST", headers, body });
  const line = () => server.logs().find(({ event }) => event === "sign_in");
  while (line() === undefined) await Bun.sleep(10);
  const shell = Bun.spawnSync(["sh", "-eu", "-c", blockOf("run: email hash")], {
    env: { PATH: process.env["PATH"], SECRET: database.env["BETTER_AUTH_SECRET"] },
  });
  expect(shell.stdout.toString().trim()).toBe(String(line()?.["emailHash"]));
  await server.stop();
  await database.close();
});

test("S13: the SQL of docs/operations.md lifts the limits", async () => {
  const database = await openTestDatabase("sqlite");
  const start = () => spawnLatchkey({ env: { ...database.env, LATCHKEY_LIMITS: "on" } });
  const guess = async ({ url }: RunningLatchkey) => {
    const answer = await fetch(`${url}/api/auth/sign-in/email`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email: "ann@example.com", password: "wrong horse battery" }),
    });
    return answer.status;
  };
  const first = await start();
  const statuses: number[] = [];
  while (!statuses.includes(429) && statuses.length < 20) statuses.push(await guess(first));
  expect(statuses.at(-1)).toBe(429);
  await first.stop();
  await database.query(blockOf("sql: limits").trim().replace(/;$/, ""));
  const second = await start();
  expect(await guess(second)).toBe(401);
  await second.stop();
  await database.close();
});
