import { chmodSync, chownSync, existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { buildExecutable, type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { addMember, memberPassword } from "../support/member.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const another = "a new good password";
const isRoot = process.getuid?.() === 0;
const nobody = 65_534;

describe("latchkey users", () => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase("sqlite");
    server = await spawnLatchkey({ env: database.env });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });
  const users = (args: readonly string[], stdin?: string) =>
    runLatchkey(["users", ...args], { env: database.env, ...(stdin === undefined ? {} : { stdin }) });
  const everything = async () => [
    await database.query('SELECT * FROM "user" ORDER BY id'),
    await database.query("SELECT * FROM account ORDER BY id"),
    await database.query("SELECT * FROM session ORDER BY id"),
  ];

  test.each([
    { args: [], says: "users: name what to do: list, show" },
    { args: ["lst"], says: "unknown command 'users lst' (did you mean list?)" },
    { args: ["show"], says: "missing required argument 'user'" },
    { args: ["show", "nobody@example.com"], says: "nobody has the e-mail address or id nobody@example.com" },
    { args: ["show", "no\u001B[2Jbody"], says: "nobody has the e-mail address or id no\\u{1b}[2Jbody" },
    { args: ["list", "--limit", "0"], says: "It is no whole number from 1 to 1000." },
    { args: ["list", "--limit", "1001"], says: "It is no whole number from 1 to 1000." },
    { args: ["list", "--search", ""], says: "It is no text of 1 to 254 characters." },
    { args: ["list", "--after", "bogus"], says: "--after: is no cursor" },
    {
      args: ["create", "ann@example.com"],
      says: "required option '--name <name>' not specified\nTry: latchkey users create --help",
    },
    { args: ["create", "ann", "--name", "Ann"], says: "email: Invalid email" },
    { args: ["create", "ann@example.com", "--name", " "], says: "name: is missing." },
    { args: ["create", "ann@example.com", "--name", "x".repeat(101)], says: "name: is too long" },
    { args: ["create", "ann@example.com", "--name", "Ann"], stdin: "", says: "password: stdin is empty" },
    {
      args: ["create", "ann@example.com", "--name", "Ann"],
      stdin: "short",
      says: "password: Password too short",
    },
    {
      args: ["create", "ann@example.com", "--name", "Ann"],
      stdin: "password1",
      says: "password: This password is on a list of common ones",
    },
    {
      args: ["create", "someperson@example.com", "--name", "Ann"],
      stdin: "SomePerson",
      says: "password: This password is your name or e-mail address",
    },
    {
      args: ["create", "ann@example.com", "--name", "Ann"],
      stdin: "two\nlines of it",
      says: "more than one line",
    },
    {
      args: ["create", "ann@example.com", "--name", "Ann"],
      stdin: "x".repeat(5000),
      says: "more than a password",
    },
    { args: ["create", "ann@example.com", "--name", "Ann", "--password", another], says: "from stdin alone" },
    {
      args: ["create", "ann@example.com", "--name", "Ann", `--password=${another}`],
      says: "from stdin alone",
    },
    { args: ["create", "ann@example.com", another, "--name", "Ann"], says: "from stdin alone" },
    { args: ["set-password", "ann@example.com", another], says: "from stdin alone" },
    { args: ["rename", "MEMBER", ""], says: "name: is missing." },
    { args: ["set-email", "MEMBER", "a b@example.com"], says: "email: Invalid email" },
    { args: ["set-password", "MEMBER"], stdin: "member", says: "password: Password too short" },
    { args: ["delete", "MEMBER"], says: "there is no terminal to ask for confirmation" },
    { args: ["revoke", "MEMBER", "--session", "bogus"], says: "has no live session bogus" },
  ])(
    "refuses $args with exit status 2, the reason, and nothing done",
    async ({ args, stdin = another, says }) => {
      const member = await addMember(database);
      await member.session();
      const before = await everything();
      const given = args.map((argument) => (argument === "MEMBER" ? member.email : argument));
      const { exitCode, stdout, stderr } = await users(given, stdin);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(stderr).toContain(says);
      expect(stderr).toMatch(/^Error: .+\nTry: .+\n$/m);
      expect(stderr).not.toContain(another);
      expect(await everything()).toEqual(before);
    },
  );

  test("says a failure as JSON too", async () => {
    const { exitCode, stdout } = await users(["show", "nobody@example.com", "--json"]);
    expect({ exitCode, printed: JSON.parse(stdout) }).toEqual({
      exitCode: 2,
      printed: {
        error: {
          message: "nobody has the e-mail address or id nobody@example.com",
          remedy: "latchkey users list",
        },
      },
    });
  });

  test("spells out what would move a terminal's cursor", async () => {
    const member = await addMember(database);
    const token = await member.session();
    await database.query('UPDATE "user" SET name = $1 WHERE id = $2', ["A\u001B[31mn\nn\u202E", member.id]);
    await database.query("UPDATE session SET user_agent = $1 WHERE token = $2", ["\u009B2J\u0007", token]);
    for (const args of [
      ["list"],
      ["show", member.id],
      ["sessions", member.id],
      ["rename", member.id, "\u001Bc x"],
    ]) {
      const { exitCode, stdout } = await users(args);
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(/\\u\{(?:1b|9b)\}/);
      expect(stdout.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202E]/u);
    }
  });

  test("takes the environment of the server that is named", async () => {
    const shell = { cwd: temporaryDirectory("elsewhere") };
    const lost = await runLatchkey(["users", "list"], shell);
    expect([lost.exitCode, lost.stderr]).toEqual([1, expect.stringContaining("there is no database at")]);
    expect(readdirSync(shell.cwd)).toEqual([]);
    const member = await addMember(database);
    const found = await runLatchkey(
      ["users", "show", member.id, "--pid", String(server.pid), "--json"],
      shell,
    );
    expect(JSON.parse(found.stdout)).toMatchObject({ user: { id: member.id } });
  });

  test("leaves a running server its log and the second name of its file", async () => {
    const path = database.url.slice("file:".length);
    const member = await addMember(database);
    const before = [statSync(`${path}-wal`), statSync(`${path}-open`)];
    expect(before[0]?.size).toBeGreaterThan(0);
    expect((await users(["rename", member.id, "Ben"])).exitCode).toBe(0);
    const after = [statSync(`${path}-wal`), statSync(`${path}-open`)];
    expect(after.map(({ ino }) => ino)).toEqual(before.map(({ ino }) => ino));
    expect(after[0]?.size).toBeGreaterThanOrEqual(before[0]?.size ?? 0);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  });

  test("leaves a server that has written nothing yet the second name of its file", async () => {
    const fresh = await openTestDatabase("sqlite");
    const idle = await spawnLatchkey({ env: fresh.env });
    const path = fresh.url.slice("file:".length);
    expect(statSync(`${path}-wal`).size).toBe(0);
    expect((await runLatchkey(["users", "list"], { env: fresh.env })).exitCode).toBe(0);
    expect(statSync(`${path}-open`, { throwIfNoEntry: false })?.ino).toBe(statSync(path).ino);
    await idle.stop();
    await fresh.close();
  });

  test("tidies up where no server runs, and makes no secret", async () => {
    const alone = await openTestDatabase("sqlite");
    const path = alone.url.slice("file:".length);
    await runLatchkey(["migrate"], { env: alone.env });
    const member = await addMember(alone);
    expect((await runLatchkey(["users", "rename", member.id, "Ben"], { env: alone.env })).exitCode).toBe(0);
    expect(existsSync(`${path}-open`)).toBe(false);
    expect(statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0).toBe(0);
    expect(readdirSync(dirname(path)).filter((name) => !name.startsWith("latchkey.db"))).toEqual([]);
    await alone.close();
  });

  test.skipIf(!isRoot)(
    "gives what root makes beside a file to the file's owner, and takes nobody else",
    async () => {
      const owned = await openTestDatabase("sqlite");
      const path = owned.url.slice("file:".length);
      await runLatchkey(["migrate"], { env: owned.env });
      const member = await addMember(owned);
      const files = () => readdirSync(dirname(path)).filter((name) => name.startsWith("latchkey.db"));
      chownSync(dirname(path), nobody, nobody);
      for (const name of files()) chownSync(join(dirname(path), name), nobody, nobody);
      // The last one to close takes the log away: it is looked at meanwhile.
      const owners = new Map<string, number | undefined>();
      for (let turn = 0; turn < 20 && !owners.has("latchkey.db-wal"); turn += 1) {
        let isDone = false;
        const renaming = runLatchkey(["users", "rename", member.id, `Ben ${turn}`], {
          env: owned.env,
        }).finally(() => (isDone = true));
        while (!isDone) {
          for (const name of files()) {
            const found = statSync(join(dirname(path), name), { throwIfNoEntry: false });
            if (found !== undefined) owners.set(name, found.uid);
          }
          await Bun.sleep(0);
        }
        expect((await renaming).exitCode).toBe(0);
      }
      expect([...owners.keys()].toSorted()).toEqual(
        expect.arrayContaining(["latchkey.db", "latchkey.db-wal"]),
      );
      expect(new Set(owners.values())).toEqual(new Set([nobody]));
      const other = Bun.spawnSync(
        ["setpriv", "--reuid", "1234", "--clear-groups", await buildExecutable(), "users", "list"],
        { env: { ...owned.env, DATABASE_URL: `file:${reachable(path)}` } },
      );
      expect([other.exitCode, other.stderr.toString()]).toEqual([
        1,
        expect.stringContaining("belongs to another user (65534), whose server could not open the files"),
      ]);
      await owned.close();
    },
  );
});

/** Lets everybody read a file, as a careless operator has it. */
function reachable(path: string): string {
  for (let place = path; place !== "/tmp" && place !== "/"; place = dirname(place))
    chmodSync(place, statSync(place).mode | 0o055);
  chmodSync(path, 0o666);
  return path;
}

test("create works where sign-up is closed", async () => {
  const database = await openTestDatabase("sqlite");
  const env = { ...database.env, LATCHKEY_SIGN_UP: "closed" };
  const server = await spawnLatchkey({ env });
  const args = ["users", "create", "ann@example.com", "--name", "Ann"];
  expect((await runLatchkey(args, { env, stdin: memberPassword })).exitCode).toBe(0);
  const { auth } = createClient(server.origin);
  const credentials = { email: "ann@example.com", password: memberPassword };
  expect((await auth.signIn.email(credentials)).error).toBeNull();
  expect((await auth.signUp.email({ ...credentials, name: "Ann" })).error?.code).toBe(
    "EMAIL_PASSWORD_SIGN_UP_DISABLED",
  );
  await server.stop();
  await database.close();
});
