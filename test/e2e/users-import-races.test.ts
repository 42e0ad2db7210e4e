import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { buildExecutable, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(180_000);

const password = "correct horse battery staple";
const hash = await Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 });
const emailOf = (at: number) => `race${at}@example.com`;

/** A file of so many. */
function usersFile(count: number): string {
  const file = join(temporaryDirectory("race"), "users.jsonl");
  const lines = Array.from({ length: count }, (_, at) =>
    JSON.stringify({ email: emailOf(at), passwordHash: hash }),
  );
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

async function countsOf({ query }: TestDatabase) {
  const [row] = await query(
    `SELECT (SELECT count(*) FROM "user") AS users, (SELECT count(*) FROM account) AS accounts,
            (SELECT count(*) FROM "user" u WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.user_id = u.id)) AS halves`,
  );
  return {
    users: Number(row?.["users"]),
    accounts: Number(row?.["accounts"]),
    halves: Number(row?.["halves"]),
  };
}

const importing = (database: TestDatabase, file: string, ...args: readonly string[]) =>
  runLatchkey(["users", "import", file, "--json", ...args], { env: database.env });

describe.each(dialects)("latchkey users import on %s", (dialect) => {
  test.each(["each", "atomic"])(
    "killed in the middle (%s) leaves everybody whole or absent, and goes on",
    async (mode) => {
      const database = await openTestDatabase(dialect);
      const server = await spawnLatchkey({ env: database.env });
      const total = 20_000;
      const file = usersFile(total);
      const args = mode === "atomic" ? ["--atomic"] : [];
      const child = Bun.spawn([await buildExecutable(), "users", "import", file, ...args], {
        env: { ...database.env },
        stdout: "ignore",
        stderr: "ignore",
      });
      if (mode === "each") while ((await countsOf(database)).users < 500) await Bun.sleep(5);
      else await Bun.sleep(700);
      child.kill("SIGKILL");
      await child.exited;
      const { users, accounts, halves } = await countsOf(database);
      expect({ accounts, halves }).toEqual({ accounts: users, halves: 0 });
      expect(users).toBeLessThan(total);
      if (mode === "atomic") expect(users).toBe(0);
      const again = JSON.parse((await importing(database, file, ...args)).stdout);
      expect(again).toMatchObject({ refused: 0, imported: total - again.there });
      expect(again.there).toBeGreaterThanOrEqual(users);
      expect(await countsOf(database)).toEqual({ users: total, accounts: total, halves: 0 });
      await server.stop();
      await database.close();
    },
  );

  test("twice at once, beside people who sign up with the same addresses, makes each of them once", async () => {
    const database = await openTestDatabase(dialect);
    const server = await spawnLatchkey({ env: database.env });
    const total = 3_000;
    const file = usersFile(total);
    const imports = Promise.all([importing(database, file), importing(database, file)]);
    const own: string[] = [];
    for (let at = total - 1; at > total - 40; at -= 2) {
      const body = { email: emailOf(at), password: `${password} of mine`, name: "Ann" };
      if ((await createClient(server.origin).auth.signUp.email(body)).error === null) own.push(emailOf(at));
    }
    const results = (await imports).map(({ stdout }) => JSON.parse(stdout));
    for (const { imported, there, refused } of results) {
      expect(imported + there + refused).toBe(total);
      expect(refused).toBe(own.length);
    }
    expect(results[0].imported + results[1].imported).toBe(total - own.length);
    expect(await countsOf(database)).toEqual({ users: total, accounts: total, halves: 0 });
    for (const email of own) {
      const signIn = (tried: string) =>
        createClient(server.origin).auth.signIn.email({ email, password: tried });
      expect([(await signIn(password)).error?.status, (await signIn(`${password} of mine`)).error]).toEqual([
        401,
        null,
      ]);
    }
    await server.stop();
    await database.close();
  });
});
