import { Database } from "bun:sqlite";
import {
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient, type TestClient } from "../support/client.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";

const password = "correct horse battery";
setDefaultTimeout(60_000);

let database: TestDatabase;
let server: RunningLatchkey;
let path: string;
let member: TestClient;
let people = 0;
beforeEach(async () => {
  database = await openTestDatabase("sqlite");
  path = database.url.slice("file:".length);
  server = await spawnLatchkey({ env: database.env });
  member = createClient(server.origin);
  expect((await signUp(member)).error).toBeNull();
});
afterEach(async () => {
  await server.kill();
  await database.close();
});

const signUp = (client = createClient(server.origin)) =>
  client.auth.signUp.email({ email: `lost-${(people += 1)}@example.com`, password, name: "Lost" });
const statusOf = async (path: string) => (await member.fetch(path)).status;
const emails = (file: string) => {
  const reading = new Database(file, { readonly: true });
  const found = reading.query<{ email: string }, []>("SELECT email FROM user ORDER BY email").all();
  const [integrity] = reading.query<{ integrity_check: string }, []>("PRAGMA integrity_check").all();
  reading.close();
  return { integrity: integrity?.integrity_check, emails: found.map(({ email }) => email) };
};
/** Health keeps a good result for 5 s. */
const becomes = async (status: number, path: string) => {
  const deadline = Date.now() + 8_000;
  while ((await statusOf(path)) !== status && Date.now() < deadline) await Bun.sleep(100);
  return await statusOf(path);
};

describe("C13: a SQLite file that is not the open one any more", () => {
  test.each([
    ["deleted", () => rmSync(path)],
    ["moved away", () => renameSync(path, `${path}.old`)],
    ["replaced", () => (copyFileSync(path, `${path}.new`), renameSync(`${path}.new`, path))],
    ["without its log", () => rmSync(`${path}-wal`)],
  ])("%s: 503 everywhere, health and a log line say so", async (_what, harm) => {
    expect([await statusOf("/health"), await statusOf("/api/auth/verify")]).toEqual([200, 200]);
    harm();
    // A write finds out by itself, before it is acknowledged.
    expect((await signUp()).error).toMatchObject({ status: 503, code: "STORE_UNAVAILABLE" });
    expect(await statusOf("/api/auth/verify")).toBe(503);
    expect(await becomes(503, "/health")).toBe(503);
    expect(await statusOf("/health/live")).toBe(200);
    expect(server.logs().filter(({ msg }) => /not the one that is open/.test(String(msg)))).toHaveLength(1);
    // Nor is anything told from what is not the database any more.
    const signIn = await createClient(server.origin).auth.signIn.email({ email: "a@example.com", password });
    expect(signIn.error).toMatchObject({ status: 503 });
  });

  test("is found out without a write, too", async () => {
    renameSync(path, `${path}.old`);
    expect(await becomes(503, "/api/auth/verify")).toBe(503);
  });

  test("leaves nothing behind that was acknowledged: it is in the file that was moved away", async () => {
    renameSync(path, `${path}.old`);
    expect(await becomes(503, "/api/auth/verify")).toBe(503);
    await server.kill();
    expect(emails(`${path}.old`)).toMatchObject({
      integrity: "ok",
      emails: [expect.stringContaining("lost-")],
    });
  });
});

describe("C13: a SQLite file that is damaged where it lies", () => {
  test.each([
    ["overwritten", () => writeFileSync(path, Buffer.alloc(statSync(path).size, 7))],
    ["truncated", () => truncateSync(path, 4_096)],
    ["emptied", () => truncateSync(path, 0)],
  ])("%s: health is 503", async (_what, harm) => {
    // Checkpointed, so that the pages are in the file.
    await server.stop();
    server = await spawnLatchkey({ env: database.env });
    member = createClient(server.origin, { jar: member.jar });
    harm();
    expect(await becomes(503, "/health")).toBe(503);
    expect(server.logs().some(({ msg }) => msg === "the database is not ready")).toBe(true);
  });

  test("a migration that is missing is 503", async () => {
    await database.query("DELETE FROM latchkey_migration WHERE tag LIKE '0003%'");
    expect(await becomes(503, "/health")).toBe(503);
    const answer = (await (await member.fetch("/health")).json()) as { checks: { migrations: object } };
    expect(answer.checks.migrations).toEqual({ status: "pending", pending: 1 });
  });
});

describe("C13: a backup that is moved over the file of a running server", () => {
  /** A backup, and then more accounts, which are still in the log. */
  const backUp = async () => {
    await database.query(`VACUUM INTO '${path}.backup'`);
    const before = emails(`${path}.backup`);
    for (let more = 0; more < 5; more += 1) expect((await signUp()).error).toBeNull();
    return before;
  };

  test("is never mixed with the log of the one before, though the server is killed at once", async () => {
    const before = await backUp();
    renameSync(`${path}.backup`, path);
    await server.kill();
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
    const bytes = readFileSync(path);
    for (const args of [["migrate"], ["doctor"], ["serve"]]) {
      const { exitCode, stderr, stdout } = await runLatchkey(args, { env: { ...database.env, PORT: "0" } });
      expect([args, exitCode, stdout + stderr]).toEqual([args, 1, expect.stringContaining(`${path}-open`)]);
    }
    expect(readFileSync(path).equals(bytes)).toBe(true);
    // The way on that it names.
    for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
    server = await spawnLatchkey({ env: database.env });
    expect(emails(path)).toEqual(before);
  });

  test("nor with an empty one, while the server that has it open runs on", async () => {
    await backUp();
    renameSync(`${path}.backup`, path);
    // It has brought its log into the file, and let nothing in it since.
    expect(await becomes(503, "/api/auth/verify")).toBe(503);
    expect(statSync(`${path}-wal`).size).toBe(0);
    const second = await runLatchkey(["serve"], { env: { ...database.env, PORT: "0" } });
    expect([second.exitCode, second.stderr]).toEqual([
      1,
      expect.stringContaining("end the latchkey that still runs"),
    ]);
    await server.stop();
    server = await spawnLatchkey({ env: database.env });
    expect((await signUp()).error).toBeNull();
    expect(emails(path)).toMatchObject({ integrity: "ok", emails: { length: 2 } });
  });

  test("or the way back, with everything that was acknowledged", async () => {
    await backUp();
    renameSync(`${path}.backup`, path);
    await server.kill();
    renameSync(`${path}-open`, path);
    server = await spawnLatchkey({ env: database.env });
    expect(emails(path)).toMatchObject({ integrity: "ok", emails: { length: 6 } });
  });

  test("is taken once the server has noticed, or was stopped", async () => {
    const before = await backUp();
    renameSync(`${path}.backup`, path);
    expect(await becomes(503, "/api/auth/verify")).toBe(503);
    await server.stop();
    server = await spawnLatchkey({ env: database.env });
    expect(emails(path)).toEqual(before);
  });

  test("a copy of the whole directory, its log with it, is no such thing", async () => {
    await backUp();
    await server.kill();
    // A connection of this process that was left to the collector would take the log away.
    Bun.gc(true);
    for (const suffix of ["", "-wal", "-open"]) {
      copyFileSync(path + suffix, `${path}.copy${suffix}`);
      rmSync(path + suffix);
      renameSync(`${path}.copy${suffix}`, path + suffix);
    }
    rmSync(`${path}-shm`, { force: true });
    server = await spawnLatchkey({ env: database.env });
    expect(emails(path).emails).toHaveLength(6);
    expect(existsSync(`${path}-open`)).toBe(true);
  });
});

describe("C13: a file that other programs open", () => {
  test("keeps its locks through health checks: a backup takes nothing away", async () => {
    for (let round = 0; round < 3; round += 1) {
      expect((await fetch(`${server.url}/health`)).status).toBe(200);
      // As the README does it: another process that opens the file, reads it and closes it.
      const backup = `${path}.backup-${round}`;
      const script = `
        import { Database } from "bun:sqlite";
        const database = new Database(${JSON.stringify(path)}, { readwrite: true });
        database.run("VACUUM INTO '${backup}'");
        database.close();`;
      const child = Bun.spawnSync([process.execPath, "-e", script]);
      expect([child.exitCode, child.stderr.toString()]).toEqual([0, ""]);
      expect(existsSync(`${path}-wal`)).toBe(true);
      expect((await signUp()).error).toBeNull();
      await Bun.sleep(1_100);
      // Older than a good result is kept.
      if (round === 0) await Bun.sleep(4_200);
    }
    expect(await statusOf("/health")).toBe(200);
    expect(server.logs().filter(({ level }) => level === "error")).toEqual([]);
  });

  test.skipIf(!existsSync("/proc/locks"))("holds SQLite's lock on it before and after", async () => {
    const inode = String(statSync(path).ino);
    const locks = () =>
      readFileSync("/proc/locks", "utf8")
        .split("\n")
        .filter((line) => line.includes(`:${inode} `) && line.includes(` ${server.pid} `)).length;
    const before = locks();
    expect(before).toBeGreaterThan(0);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    expect(locks()).toBe(before);
  });
});

describe("C13: a file that is gone at the next start", () => {
  const refused = async () => {
    const { exitCode, stdout, stderr } = await runLatchkey(["serve"], {
      env: { ...database.env, PORT: "0" },
    });
    expect(existsSync(path)).toBe(false);
    return { exitCode, said: stdout + stderr };
  };

  test("though its log is there: no new one is made under it", async () => {
    await server.kill();
    renameSync(path, `${path}.elsewhere`);
    rmSync(`${path}-open`);
    expect(await refused()).toEqual({ exitCode: 1, said: expect.stringContaining(`put ${path} back`) });
    renameSync(`${path}.elsewhere`, path);
    server = await spawnLatchkey({ env: database.env });
    expect(emails(path).emails).toHaveLength(1);
  });

  test("is not made anew while its second name has everything", async () => {
    rmSync(path);
    expect((await signUp()).error).toMatchObject({ status: 503 });
    await server.stop();
    const { exitCode, said } = await refused();
    expect([exitCode, said]).toEqual([1, expect.stringContaining(`mv ${path}-open ${path}`)]);
    renameSync(`${path}-open`, path);
    server = await spawnLatchkey({ env: database.env });
    expect(emails(path)).toMatchObject({ integrity: "ok", emails: { length: 1 } });
  });

  test("is made anew where nothing is left, as after a stop that was in order", async () => {
    await server.stop();
    expect(existsSync(`${path}-open`)).toBe(false);
    rmSync(path);
    server = await spawnLatchkey({ env: database.env });
    expect(emails(path).emails).toEqual([]);
  });
});
