import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { temporaryDirectory } from "../support/reaper.ts";
import { answeredBy, askAnew, countAnswering, workersOf } from "../support/workers.ts";

setDefaultTimeout(60_000);

const person = { email: "worker@example.com", password: "correct horse battery", name: "Worker" };

describe.each(dialects)("four workers on %s", (dialect) => {
  test("are one service: a session of one is one of each, and what is made once is made once", async () => {
    const database = await openTestDatabase(dialect);
    const server = await spawnLatchkey({ env: { ...database.env, LATCHKEY_WORKERS: "4" } });
    expect(workersOf(server.pid)).toHaveLength(4);
    const client = createClient(server.origin);
    expect((await client.auth.signUp.email(person)).error).toBeNull();
    const cookie = client.jar.header();
    const verify = () => askAnew(`${server.url}/api/auth/verify`, { headers: { cookie } });
    const answers = [];
    for (let asked = 0; asked < 80; asked += 1) answers.push(await verify());
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(answeredBy)).size).toBe(4);
    expect((await client.auth.signOut()).error).toBeNull();
    for (let asked = 0; asked < 40; asked += 1) expect((await verify()).status).toBe(401);
    const count = (wanted: Record<string, unknown>) =>
      server.logs().filter((line) => Object.entries(wanted).every(([name, value]) => line[name] === value))
        .length;
    expect(["starting", "listening"].map((event) => count({ event }))).toEqual([1, 1]);
    expect(count({ msg: "schema migrated" })).toBe(1);
    expect(await server.stop()).toBe(0);
    expect(server.logs().at(-1)).toMatchObject({ event: "stopped", reason: "drained" });
    await database.close();
  });

  test("S14: count guesses as one: 50 at once from one address are as many as one after the other", async () => {
    const database = await openTestDatabase(dialect);
    const env = {
      ...database.env,
      LATCHKEY_WORKERS: "4",
      LATCHKEY_LIMITS: "on",
      LATCHKEY_LIMIT_SIGN_IN: "10/15m",
    };
    const server = await spawnLatchkey({ env });
    const guess = (at: number) =>
      askAnew(`${server.url}/api/auth/sign-in/email`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ email: `n${at}@example.com`, password: "not this one at all" }),
      });
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => guess(at)));
    const count = (status: number) => answers.filter((answer) => answer.status === status).length;
    expect([count(401), count(429)]).toEqual([10, 40]);
    expect(new Set(answers.map(answeredBy)).size).toBe(4);
    await server.stop();
    await database.close();
  });
});

test("S67: a full line of hashes is full for all workers, and verify goes on", async () => {
  const accepted = async (workers: string) => {
    const env = { LATCHKEY_WORKERS: workers, LATCHKEY_HASH_QUEUE: "2", LATCHKEY_HASH_CONCURRENCY: "1" };
    const server = await spawnLatchkey({ env });
    const attempts = Array.from({ length: 24 }, (_, at) =>
      askAnew(`${server.url}/api/auth/sign-in/email`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ email: `q${at}@example.com`, password: "not this one at all" }),
      }),
    );
    expect((await askAnew(`${server.url}/api/auth/verify`)).status).toBe(401);
    const statuses = (await Promise.all(attempts)).map(({ status }) => status);
    await server.stop();
    expect(new Set(statuses)).toEqual(new Set([401, 503]));
    return statuses.filter((status) => status === 401).length;
  };
  // Two are let in and two wait; a fifth, where the first is done before the last has come.
  expect(await accepted("4")).toBeLessThanOrEqual(8);
});

describe("the port", () => {
  const refused = async (port: number, workers: string) => {
    const { exitCode, stderr } = await runLatchkey(["serve"], {
      env: { PORT: String(port), LATCHKEY_WORKERS: workers },
    });
    expect(stderr).toContain(`Error: port ${port} on 127.0.0.1 is in use`);
    expect(exitCode).toBe(1);
  };

  test.each([
    ["2", "2"],
    ["2", "1"],
    ["1", "2"],
  ])("of %s is refused to a second start of %s", async (first, second) => {
    const server = await spawnLatchkey({ env: { LATCHKEY_WORKERS: first } });
    await refused(Number(new URL(server.url).port), second);
    expect(await countAnswering(server)).toBe(Number(first));
    await server.stop();
  });

  test("stays the supervisor's while no worker listens", async () => {
    const server = await spawnLatchkey({ env: { LATCHKEY_WORKERS: "2" } });
    const port = Number(new URL(server.url).port);
    const before = workersOf(server.pid);
    for (const pid of before) process.kill(pid, "SIGSTOP");
    for (const pid of before) process.kill(pid, "SIGKILL");
    expect(() =>
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data: () => {} } }).stop(true),
    ).toThrow();
    await server.stop();
  });

  test("is had by one of three that start at once", async () => {
    for (let round = 0; round < 4; round += 1) {
      const port = freePort();
      const starts = await Promise.allSettled(
        [1, 2, 3].map(() => spawnLatchkey({ env: { PORT: String(port), LATCHKEY_WORKERS: "2" } })),
      );
      const running = starts.flatMap((start) => (start.status === "fulfilled" ? start.value : []));
      expect(running).toHaveLength(1);
      for (const server of running) await server.stop();
      // Its connections have just ended, which is no reason to refuse the next start.
      const again = await spawnLatchkey({ env: { PORT: String(port), LATCHKEY_WORKERS: "2" } });
      expect(await countAnswering(again)).toBe(2);
      await again.stop();
    }
  });
});

describe("a start that fails", () => {
  const outcome = async (workers: string, env: Readonly<Record<string, string>>, content?: string) => {
    const cwd = temporaryDirectory("failing");
    if (content !== undefined) await Bun.write(join(cwd, "data", "latchkey.db"), content);
    const { exitCode, stderr, stdout } = await runLatchkey(["serve", "--json"], {
      cwd,
      env: { PORT: "0", LATCHKEY_WORKERS: workers, ...env },
    });
    const told = stderr.split("\n").filter((line) => !line.startsWith("{"));
    return JSON.stringify([exitCode, told, stdout]).replaceAll(cwd, "");
  };
  const secret = { BETTER_AUTH_SECRET: "0f1e2d3c4b5a69788796a5b4c3d2e1f0-AbCdEfGh" };

  test.each<readonly [string, Readonly<Record<string, string>>, string | undefined]>([
    ["another file in the database's place", secret, "not a database at all, but long enough to be read"],
    ["a database whose secret is gone", {}, ""],
    ["an unreachable server", { ...secret, DATABASE_URL: "postgres://u:p@127.0.0.1:1/db" }, undefined],
  ])("is told as one process tells it: %s", async (_what, env, content) => {
    const alone = await outcome("1", env, content);
    expect(alone).toContain("Error: ");
    expect(await outcome("2", env, content)).toBe(alone);
  });
});

test("latchkey worker is for the supervisor alone", async () => {
  const { exitCode, stderr } = await runLatchkey(["worker"]);
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining("started by latchkey serve alone")]);
});

test("one worker is this process, and nothing beside it", async () => {
  const server = await spawnLatchkey({ env: { LATCHKEY_WORKERS: "1" } });
  expect(workersOf(server.pid)).toEqual([]);
  expect(await countAnswering(server)).toBe(1);
  await server.stop();
});
