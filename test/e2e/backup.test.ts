import { Database } from "bun:sqlite";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient, type TestClient } from "../support/client.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { splitLog } from "../support/process-output.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery";
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
const verifyStatus = async (client: TestClient) => (await client.fetch("/api/auth/verify")).status;

let server: RunningLatchkey;
beforeAll(async () => {
  server = await spawnLatchkey({ env: {} });
});
afterAll(() => server.stop());

const signUp = async (email: string, client = createClient(server.origin)) => {
  const { error } = await client.auth.signUp.email({ email, password, name: "Ann" });
  expect(error).toBeNull();
  return client;
};
const backup = (...args: readonly string[]) => runLatchkey(["backup", ...args], { cwd: server.dir });
/** @returns whose accounts are in a file, and how many rows lack what was written together with them. */
const contentOf = (file: string) => {
  const reading = new Database(file, { readonly: true });
  using people = reading.prepare<{ email: string }, []>("SELECT email FROM user");
  using torn = reading.prepare<{ rows: number }, []>(
    `SELECT (SELECT count(*) FROM user WHERE id NOT IN (SELECT user_id FROM account WHERE password IS NOT NULL))
      + (SELECT count(*) FROM session WHERE user_id NOT IN (SELECT id FROM user)) AS rows`,
  );
  const content = { emails: new Set(people.all().map(({ email }) => email)), halves: torn.get()?.rows };
  reading.close(true);
  return content;
};

/** People who sign up and in, one after the other in each of four lines, until `stop`. */
function startLoad() {
  const acknowledged: string[] = [];
  let isStopped = false;
  let made = 0;
  const line = async () => {
    while (!isStopped) {
      const email = `load-${(made += 1)}-${crypto.randomUUID()}@example.com`;
      await signUp(email);
      acknowledged.push(email);
      const again = await createClient(server.origin).auth.signIn.email({ email, password });
      expect(again.error).toBeNull();
    }
  };
  const lines = [line(), line(), line(), line()];
  return {
    acknowledged,
    async stop() {
      isStopped = true;
      await Promise.all(lines);
    },
  };
}

describe("S84: latchkey backup beside a server under load", () => {
  test("has what was acknowledged before it began, and restores on an empty machine", async () => {
    const load = startLoad();
    for (const round of [1, 2]) {
      const before = await signUp(`before-${round}@example.com`);
      const known = [...load.acknowledged, `before-${round}@example.com`];
      const file = join(server.dir, `round-${round}.db`);
      const { exitCode, stdout, stderr } = await backup(file, "--with-secret", "--json");
      const { talk, log } = splitLog(stderr);
      expect([exitCode, talk]).toEqual([0, ""]);
      const after = await signUp(`after-${round}@example.com`);
      const printed = JSON.parse(stdout) as { users: number };
      expect(printed).toMatchObject({
        path: file,
        bytes: statSync(file).size,
        locks: 0,
        session: "verified",
        secret: `${file}.secret`,
      });
      expect([file, `${file}.secret`].map(modeOf)).toEqual(["600", "600"]);
      const {
        secret: _,
        removed: __,
        ...figures
      } = printed as { secret: string; removed: []; users: number };
      const done = {
        level: "info",
        time: expect.any(String),
        outcome: "success",
        operator: process.getuid?.(),
      };
      expect(log).toEqual([
        { ...done, event: "backup", ...figures, withSecret: true, removed: 0, msg: "backup" },
      ]);

      const cwd = temporaryDirectory("restored");
      const restored = await runLatchkey(["restore", file, "--secret", `${file}.secret`], { cwd });
      expect([restored.exitCode, splitLog(restored.stderr)]).toEqual([
        0,
        {
          talk: "",
          log: [{ ...done, event: "restore", ...figures, kept: null, keptSecret: null, msg: "restore" }],
        },
      ]);
      expect(JSON.stringify([log, restored.stderr])).not.toContain(
        readFileSync(`${file}.secret`, "utf8").trim(),
      );
      expect(readdirSync(join(cwd, "data")).toSorted()).toEqual(["latchkey.db", "secret"]);
      const { emails, halves } = contentOf(join(cwd, "data", "latchkey.db"));
      expect(halves).toBe(0);
      expect(known.filter((email) => !emails.has(email))).toEqual([]);
      expect(emails.size).toBe(printed.users);
      const second = await spawnLatchkey({ env: {}, cwd });
      const elsewhere = (client: TestClient) => createClient(second.origin, { jar: client.jar });
      expect(await Promise.all([before, after].map((one) => verifyStatus(elsewhere(one))))).toEqual([
        200, 401,
      ]);
      const { error } = await createClient(second.origin).auth.signIn.email({
        email: `before-${round}@example.com`,
        password,
      });
      expect(error).toBeNull();
      await second.stop();
    }
    await load.stop();
    expect(await verifyStatus(await signUp("still@example.com"))).toBe(200);
    expect(server.logs().filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
  });
});

describe("latchkey backup", () => {
  test("says that sessions end without the secret, and restores accounts without it", async () => {
    const member = await signUp("without@example.com");
    const { exitCode, stdout, stderr } = await backup("without.db");
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining("everybody has to sign in again")]);
    expect(stdout).toMatch(
      /without\.db: \d+ bytes, \d+ accounts, \d+ sessions, one of which was verified\n$/,
    );
    const cwd = temporaryDirectory("restored");
    const restored = await runLatchkey(["restore", join(server.dir, "without.db")], { cwd });
    expect([restored.exitCode, restored.stderr]).toEqual([0, expect.stringContaining("sign in again")]);
    const second = await spawnLatchkey({ env: {}, cwd });
    const client = createClient(second.origin, { jar: member.jar });
    expect(await verifyStatus(client)).toBe(401);
    const signIn = await client.auth.signIn.email({ email: "without@example.com", password });
    expect(signIn.error).toBeNull();
    await second.stop();
  });

  test("warns of rows that refer to none, and tells locked users", async () => {
    const cwd = temporaryDirectory("orphans");
    expect((await runLatchkey(["migrate"], { cwd })).exitCode).toBe(0);
    const db = new Database(join(cwd, "data", "latchkey.db"));
    db.run("PRAGMA foreign_keys = OFF");
    db.run("INSERT INTO latchkey_lock VALUES ('gone', 0)");
    db.close(true);
    for (const args of [
      ["backup", "copy.db", "--with-secret", "--json"],
      ["restore", "copy.db", "--json"],
    ]) {
      const { exitCode, stdout, stderr } = await runLatchkey(args, { cwd });
      expect([exitCode, splitLog(stderr).talk]).toEqual([
        0,
        "Warning: 1 of its rows refer to rows that are not there; latchkey doctor says more\n",
      ]);
      expect(JSON.parse(stdout)).toMatchObject({ users: 0, locks: 1, session: "none" });
    }
  });

  test("takes the environment of the server that is named", async () => {
    const cwd = temporaryDirectory("elsewhere");
    const { exitCode, stdout } = await runLatchkey(
      ["backup", "x.db", "--pid", String(server.pid), "--json"],
      { cwd },
    );
    expect([exitCode, readdirSync(cwd)]).toEqual([0, ["x.db"]]);
    expect(JSON.parse(stdout)).toMatchObject({ path: join(cwd, "x.db"), secret: null, removed: [] });
    const lost = await runLatchkey(["backup", "y.db"], { cwd });
    expect([lost.exitCode, lost.stderr]).toEqual([1, expect.stringContaining("there is no database at")]);
    expect(readdirSync(cwd)).toEqual(["x.db"]);
  });

  test("does not save a secret that is a setting", async () => {
    const env = { BETTER_AUTH_SECRET: "0f1e2d3c4b5a69788796a5b4c3d2e1f0-AbCdEfGh" };
    for (const args of [
      ["backup", "z.db", "--with-secret"],
      ["restore", "z.db", "--secret", "data/secret"],
    ]) {
      const { exitCode, stderr } = await runLatchkey(args, { env, cwd: server.dir });
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining("set by BETTER_AUTH_SECRET")]);
    }
    expect(readdirSync(server.dir)).not.toContain("z.db");
  });

  test.each([
    ["a file", "taken.db", []],
    ["a saved secret", "other.db.secret", ["--with-secret"]],
  ])("never overwrites %s", async (_what, name, args) => {
    writeFileSync(join(server.dir, name), "mine");
    const before = readdirSync(server.dir).toSorted();
    const { exitCode, stdout, stderr } = await backup(name.replace(".secret", ""), ...args);
    expect([exitCode, stdout, stderr]).toEqual([2, "", expect.stringContaining("is not overwritten")]);
    expect(readFileSync(join(server.dir, name), "utf8")).toBe("mine");
    expect(readdirSync(server.dir).toSorted()).toEqual(before);
  });

  test("--keep removes its own oldest beyond so many, and nothing else", async () => {
    const folder = join(server.dir, "kept");
    mkdirSync(folder);
    const others = ["latchkey-old.db", "latchkey.db", "notes"];
    for (const name of others) writeFileSync(join(folder, name), "mine");
    const written: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      const { exitCode, stdout } = await backup(folder, "--keep", "2", "--with-secret", "--json");
      expect(exitCode).toBe(0);
      const { path, removed } = JSON.parse(stdout) as { path: string; removed: string[] };
      written.push(path);
      expect(removed).toEqual(round < 2 ? [] : [written[round - 2] ?? ""]);
    }
    const kept = written.slice(2).flatMap((path) => [path, `${path}.secret`]);
    const all = [...kept, ...others.map((name) => join(folder, name))];
    expect(readdirSync(folder).toSorted()).toEqual(
      all.map((path) => path.slice(folder.length + 1)).toSorted(),
    );
  });

  test.each([
    { args: [], says: "missing required argument 'file'" },
    { args: ["x.db", "--keep", "0"], says: "It is no whole number from 1 to 1000." },
    { args: ["data"], says: "data is a folder" },
    { args: ["data/secret", "--keep", "3"], says: "data/secret is not a folder" },
    { args: ["nowhere/x.db"], says: "there is no folder" },
  ])("refuses $args with exit status 2, a remedy, and nothing done", async ({ args, says }) => {
    const before = readdirSync(server.dir).toSorted();
    const { exitCode, stdout, stderr } = await backup(...args);
    expect([exitCode, stdout, stderr]).toEqual([2, "", expect.stringContaining(says)]);
    expect(stderr).toMatch(/^Try: .+\n$/m);
    expect(readdirSync(server.dir).toSorted()).toEqual(before);
  });

  test("says what to do about a folder that it cannot make", async () => {
    // Nobody makes one there, root neither.
    const { exitCode, stderr } = await backup("/proc/latchkey-backups", "--keep", "3");
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^Error: \/proc\/latchkey-backups cannot be written to: .*$/m);
    expect(stderr).toMatch(/^Try: .*ReadWritePaths=/m);
  });
});
