import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser } from "playwright-core";
import { launchBrowser } from "../support/browser.ts";
import { createClient, type TestClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { buildExecutable, type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { field, press } from "../support/page-forms.ts";
import { postgresTools } from "../support/postgres-tools.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(120_000);

const password = "correct horse battery";
const another = "a new good password";
/** Of those who are imported, as another program made it. */
const bcrypt = await Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 });
const imported = 10_000;
const records = Array.from(
  { length: imported },
  (_, at) =>
    `${JSON.stringify({ email: `user-${at}@example.com`, name: `User ${at}`, passwordHash: bcrypt })}\n`,
).join("");
const hasTools = process.platform === "linux" && process.arch === "x64" && Bun.which("dpkg-deb") !== null;

/** Somebody's browser, whichever server it talks to. */
type Jar = TestClient["jar"];

/** Day by day, each on what the days before it left; at the end of each, whoever should be signed in is, and nobody else. */
for (const dialect of dialects) {
  const needsTools = dialect !== "sqlite";
  describe.skipIf(needsTools && !hasTools)(
    `an operator's first week on ${dialect}${needsTools ? " (needs dpkg-deb)" : ""}`,
    () => {
      const databases: TestDatabase[] = [];
      let cwd: string;
      let executable: string;
      let path: string;
      let env: Readonly<Record<string, string>>;
      let server: RunningLatchkey;
      let browser: Browser;
      const living = new Map<string, Jar>();
      const dead = new Map<string, Jar>();

      const open = async () => {
        const database = await openTestDatabase(dialect);
        databases.push(database);
        return database;
      };
      beforeAll(async () => {
        path = `${needsTools ? `${await postgresTools(18)}:` : ""}/bin:/usr/bin`;
        browser = await launchBrowser();
      });
      afterAll(async () => {
        await browser.close();
        await server.stop();
        for (const database of databases) await database.close();
      });

      const serve = async () => {
        server = await spawnLatchkey({ env, cwd, executable });
      };
      const run = async (args: readonly string[], stdin?: string) => {
        const { password: secret } = new URL(env["DATABASE_URL"] ?? "file:///none");
        return await runLatchkey(args, {
          env: { ...env, PATH: path, PGPASSWORD: decodeURIComponent(secret), BETTER_AUTH_URL: server.origin },
          cwd,
          executable,
          ...(stdin === undefined ? {} : { stdin }),
        });
      };
      const done = async (args: readonly string[], stdin?: string) => {
        const result = await run(args, stdin);
        expect([args.join(" "), result.exitCode, result.stderr]).toEqual([
          args.join(" "),
          0,
          expect.anything(),
        ]);
        return result.stdout.trim();
      };
      const signIn = async (email: string, tried: string) => {
        const client = createClient(server.origin);
        const { error } = await client.auth.signIn.email({ email, password: tried });
        return error === null ? client.jar : null;
      };
      const statusOf = async (jar: Jar) =>
        (await createClient(server.origin, { jar }).fetch("/api/auth/verify")).status;
      const audit = async () => {
        const ask = async (jars: ReadonlyMap<string, Jar>) =>
          Object.fromEntries(
            await Promise.all([...jars].map(async ([whose, jar]) => [whose, await statusOf(jar)])),
          );
        const all = (jars: ReadonlyMap<string, Jar>, status: number) =>
          Object.fromEntries([...jars.keys()].map((whose) => [whose, status]));
        expect(await ask(living)).toEqual(all(living, 200));
        expect(await ask(dead)).toEqual(all(dead, 401));
      };
      /** Asks for somebody all the while. @returns every status there was. */
      const meanwhile = async (whose: string, work: () => Promise<void>) => {
        const jar = living.get(whose);
        if (jar === undefined) throw new Error(`${whose} is not signed in`);
        const statuses = new Set<number>();
        let isOver = false;
        const asking = (async () => {
          while (!isOver) statuses.add(await statusOf(jar));
        })();
        await work().finally(() => (isOver = true));
        await asking;
        expect([...statuses]).toEqual([200]);
      };

      test("Monday: one file is installed and started, and the first user signs up", async () => {
        cwd = temporaryDirectory("first-week");
        executable = join(cwd, "latchkey");
        copyFileSync(await buildExecutable(), executable);
        env = dialect === "sqlite" ? {} : (await open()).env;
        await serve();
        const laptop = createClient(server.origin);
        const { error } = await laptop.auth.signUp.email({ email: "ann@example.com", password, name: "Ann" });
        expect(error).toBeNull();
        living.set("Ann's laptop", laptop.jar);
        const phone = await signIn("ann@example.com", password);
        if (phone !== null) living.set("Ann's phone", phone);
        expect(living.size).toBe(2);
        await audit();
      });

      test("Tuesday: ten thousand come from elsewhere, while Ann works, and sign in by their passwords", async () => {
        const wrong = await run(["users", "import", "-"], `${records.slice(0, 400)}\n{"email":"nobody"}\n`);
        expect([wrong.exitCode, wrong.stderr]).toEqual([2, expect.stringMatching(/line \d+.*email/)]);
        await meanwhile("Ann's phone", async () => {
          const report = JSON.parse(await done(["users", "import", "-", "--json"], records));
          expect(report).toMatchObject({ refused: 0 });
          expect(report.imported + report.there).toBe(imported);
        });
        const ben = await signIn("user-7@example.com", password);
        if (ben !== null) living.set("Ben", ben);
        expect(await signIn("user-7@example.com", another)).toBeNull();
        expect(living.has("Ben")).toBe(true);
        await audit();
      });

      test("Wednesday: Ben forgot the password, and sets a new one in a browser by a link", async () => {
        const url = await done(["users", "recovery-link", "user-7@example.com"]);
        const context = await browser.newContext();
        const page = await context.newPage();
        await page.goto(url);
        await field(page, "New password").fill(another);
        await press(page, "Set password");
        expect(await page.getByRole("status").innerText()).toBe("Your new password is set. Sign in with it.");
        await page.goto(url);
        expect(await page.getByRole("heading").innerText()).toBe("This link no longer works");
        await context.close();
        dead.set("Ben, before the recovery", living.get("Ben") ?? createClient("http://unused").jar);
        living.delete("Ben");
        expect(await signIn("user-7@example.com", password)).toBeNull();
        const again = await signIn("user-7@example.com", another);
        if (again !== null) living.set("Ben", again);
        expect(living.has("Ben")).toBe(true);
        await audit();
      });

      test("Thursday: Ann's laptop is stolen, and its session alone ended", async () => {
        const { sessions } = JSON.parse(await done(["users", "sessions", "ann@example.com", "--json"])) as {
          sessions: readonly { readonly session: string }[];
        };
        expect(sessions).toHaveLength(2);
        // The newest first: the phone came later.
        const stolen = sessions[1]?.session ?? "";
        await meanwhile("Ann's phone", async () => {
          await done(["users", "revoke", "ann@example.com", "--session", stolen]);
        });
        dead.set("Ann's laptop", living.get("Ann's laptop") ?? createClient("http://unused").jar);
        living.delete("Ann's laptop");
        const unknown = await run(["users", "revoke", "ann@example.com", "--session", stolen]);
        expect([unknown.exitCode, unknown.stderr]).toEqual([
          2,
          expect.stringContaining("has no live session"),
        ]);
        await audit();
      });

      test("Friday: the secret changes, and nobody is signed out", async () => {
        if (dialect === "sqlite") {
          await meanwhile("Ann's phone", async () => {
            await done(["secret", "rotate"]);
          });
          const early = await run(["secret", "rotate", "--drop-old"]);
          expect([early.exitCode, early.stderr]).toEqual([2, expect.stringContaining("Try:")]);
        } else {
          // One that is set is changed where it is set, in two steps.
          const told = await run(["secret", "rotate"]);
          expect(told.stdout + told.stderr).toContain("BETTER_AUTH_SECRETS");
          const old = env["BETTER_AUTH_SECRET"] ?? "";
          const fresh = (await done(["secret"])).trim();
          const { BETTER_AUTH_SECRET: _, ...others } = env;
          for (const secrets of [`1:${old},2:${fresh}`, `2:${fresh},1:${old}`]) {
            await server.stop();
            env = { ...others, BETTER_AUTH_SECRETS: secrets };
            await serve();
            await audit();
          }
        }
        const carla = await signIn("user-8@example.com", password);
        if (carla !== null) living.set("Carla", carla);
        expect(living.has("Carla")).toBe(true);
        await audit();
      });

      test("Saturday: a backup while people work, then an upgrade that fails, and nothing is lost", async () => {
        await meanwhile("Ann's phone", async () => {
          const made = JSON.parse(
            await done(["backup", "saturday", "--json", ...(dialect === "sqlite" ? ["--with-secret"] : [])]),
          );
          expect(made).toMatchObject({ users: imported + 1 });
        });
        const taken = await run(["backup", "saturday"]);
        expect([taken.exitCode, taken.stderr]).toEqual([2, expect.stringContaining("is not overwritten")]);
        await server.stop();
        // What an executable before the last migration left, and something in its way.
        const file = dialect === "sqlite" ? openFile() : databases[0];
        await file?.query("DROP TABLE latchkey_mail");
        await file?.query("DELETE FROM latchkey_migration WHERE tag = '0006_mail'");
        await file?.query("CREATE VIEW latchkey_mail AS SELECT 1 AS one");
        const failed = await spawnLatchkey({ env, cwd, executable }).then(
          async (started) => {
            await started.stop();
            return "it started";
          },
          (error: Error) => error.message,
        );
        expect(failed).toContain("latchkey_mail");
        await file?.query("DROP VIEW latchkey_mail");
        await serve();
        await audit();
      });

      test("Sunday: the machine is lost, and an empty one has everybody from Saturday's backup", async () => {
        await server.kill();
        const lost = cwd;
        cwd = temporaryDirectory("empty-machine");
        const backup = join(lost, "saturday");
        if (dialect === "sqlite") await done(["restore", backup, "--secret", `${backup}.secret`]);
        else {
          const { BETTER_AUTH_SECRET: _, ...place } = (await open()).env;
          env = { ...place, BETTER_AUTH_SECRETS: env["BETTER_AUTH_SECRETS"] ?? "" };
          await done(["restore", backup]);
        }
        await serve();
        await audit();
        expect(await signIn("user-7@example.com", password)).toBeNull();
        expect(await signIn("user-7@example.com", another)).not.toBeNull();
        expect(await signIn("user-9999@example.com", password)).not.toBeNull();
      });

      const openFile = (): Pick<TestDatabase, "query"> => ({
        query: (sql) => querySqliteFile(join(cwd, "data", "latchkey.db"), sql),
      });
    },
  );
}

async function querySqliteFile(path: string, sql: string): Promise<Record<string, unknown>[]> {
  const { Database } = await import("bun:sqlite");
  const database = new Database(path);
  database.run(sql);
  database.close(true);
  return [];
}
