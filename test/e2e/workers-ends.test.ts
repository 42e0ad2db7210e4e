import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey, spawnUnderNohup } from "../support/executable.ts";
import { eventually } from "../support/process-figures.ts";
import { answeredBy, askAnew, countAnswering, isAlive, workersOf } from "../support/workers.ts";

setDefaultTimeout(60_000);

const two = { LATCHKEY_WORKERS: "2" };
const signUp = (url: string, email: string) =>
  askAnew(`${url}/api/auth/sign-up/email`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password: "correct horse battery", name: "Worker" }),
  });
const events = (server: RunningLatchkey, event: string) =>
  server.logs().filter((line) => line["event"] === event);
const waitFor = async (what: string, holds: () => boolean) => {
  if (!(await eventually(holds, 20_000))) throw new Error(`${what} did not come about`);
};
/** A sign-in whose body is still missing its last byte, on the connection of one worker. */
async function unfinishedRequest(url: string) {
  const { hostname, port } = new URL(url);
  const answer = Promise.withResolvers<string>();
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: { data: (_, chunk) => answer.resolve(chunk.toString()), close: () => answer.resolve("") },
  });
  const body = JSON.stringify({ email: "a@example.com", password: "correct horse battery" });
  socket.write(
    "POST /api/auth/sign-in/email HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
      `Content-Length: ${body.length}\r\n\r\n${body.slice(0, -1)}`,
  );
  return {
    finish: () => void socket.write(body.slice(-1)),
    answer: answer.promise,
    end: () => socket.end(),
  };
}

describe("a worker that ends", () => {
  test("is replaced, which the log says, while the other serves", async () => {
    const server = await spawnLatchkey({ env: two });
    const [victim = 0, survivor = 0] = workersOf(server.pid);
    process.kill(victim, "SIGKILL");
    await waitFor("a replacement", () => events(server, "worker_started").length === 1);
    expect(events(server, "worker_ended")).toMatchObject([
      { level: "error", pid: victim, reason: "SIGKILL" },
    ]);
    const now = workersOf(server.pid);
    expect(now).toHaveLength(2);
    expect(now).toContain(survivor);
    expect(now).not.toContain(victim);
    expect(await countAnswering(server)).toBe(2);
    await server.stop();
  });

  test("again and again is replaced ever later, and health says that it is missing", async () => {
    const server = await spawnLatchkey({ env: two });
    const [first = 0] = workersOf(server.pid);
    let victim = first;
    for (let round = 1; round <= 4; round += 1) {
      process.kill(victim, "SIGKILL");
      await waitFor("an end", () => events(server, "worker_ended").length === round);
      if (round === 4) break;
      await waitFor("a replacement", () => events(server, "worker_started").length === round);
      victim = Number(events(server, "worker_started").at(-1)?.["pid"]);
    }
    // The next one comes in 0.8 s.
    const health = await askAnew(`${server.url}/health`);
    expect([health.status, ((await health.json()) as { checks: object }).checks]).toMatchObject([
      200,
      { workers: { status: "missing", serving: 1, configured: 2 } },
    ]);
    expect(events(server, "worker_ended").map((line) => line["restartInMs"])).toEqual([100, 200, 400, 800]);
    await server.stop();
  });

  test("takes no hash and no place in the line with it", async () => {
    const server = await spawnLatchkey({ env: { ...two, LATCHKEY_HASH_CONCURRENCY: "1" } });
    const attempts = Array.from({ length: 12 }, (_, at) =>
      signUp(server.url, `h${at}@example.com`).catch(() => null),
    );
    await Promise.race(attempts);
    const [victim = 0] = workersOf(server.pid);
    process.kill(victim, "SIGKILL");
    await Promise.all(attempts);
    expect(
      (await signUp(server.url, "after@example.com").catch(() => signUp(server.url, "after@example.com")))
        .status,
    ).toBe(200);
    await server.stop();
  });
});

describe("a supervisor that is killed", () => {
  test.each(["idle", "stopped"])("takes its workers with it, %s ones too", async (state) => {
    const server = await spawnLatchkey({ env: two });
    const workers = workersOf(server.pid);
    expect(workers).toHaveLength(2);
    // As one whose event loop does not come round: it hears nothing.
    if (state === "stopped") for (const pid of workers) process.kill(pid, "SIGSTOP");
    await server.kill();
    await waitFor("the workers' end", () => !workers.some(isAlive));
    // And the port is free.
    const again = await spawnLatchkey({ env: { ...two, PORT: new URL(server.url).port }, cwd: server.dir });
    await again.stop();
  });
});

test("a worker that answers nothing for ten seconds is ended, and replaced", async () => {
  const server = await spawnLatchkey({ env: two });
  const [stuck = 0, other = 0] = workersOf(server.pid);
  process.kill(stuck, "SIGSTOP");
  const stopped = performance.now();
  await waitFor("a new worker", () => events(server, "worker_started").length === 1);
  expect(performance.now() - stopped).toBeGreaterThan(8_000);
  expect(events(server, "worker_stuck")).toMatchObject([{ pid: stuck }]);
  expect(isAlive(stuck)).toBe(false);
  expect(workersOf(server.pid)).toContain(other);
  expect((await askAnew(`${server.url}/health`)).status).toBe(200);
  expect(await server.stop()).toBe(0);
});

describe("health", () => {
  test("speaks for all: a worker that does not answer makes it 503", async () => {
    const server = await spawnLatchkey({ env: two });
    const [stuck = 0] = workersOf(server.pid);
    process.kill(stuck, "SIGSTOP");
    // On a connection of the one that is stuck there is no answer, and within ten seconds it is replaced: many ask at once.
    const ask = () =>
      Promise.any(
        Array.from({ length: 16 }, () =>
          askAnew(`${server.url}/health`, { signal: AbortSignal.timeout(4_000) }),
        ),
      );
    const answer = await ask();
    expect([answer.status, await answer.json()]).toMatchObject([
      503,
      { status: "unavailable", checks: { workers: { serving: 2, configured: 2 } } },
    ]);
    process.kill(stuck, "SIGCONT");
    while ((await ask()).status !== 200) await Bun.sleep(50);
    await server.stop();
  });

  test.each(dialects.filter((dialect) => dialect !== "sqlite"))(
    "is 503 at every worker while %s is lost",
    async (dialect) => {
      const database = await openTestDatabase(dialect);
      const server = await spawnLatchkey({ env: { ...database.env, ...two } });
      expect((await askAnew(`${server.url}/health`)).status).toBe(200);
      database.network?.stall(true);
      await Bun.sleep(5_000);
      const answers = await Promise.all(Array.from({ length: 16 }, () => askAnew(`${server.url}/health`)));
      expect(new Set(answers.map(answeredBy)).size).toBe(2);
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
      database.network?.stall(false);
      await server.kill();
      await database.close();
    },
  );
});

describe.each(["SIGTERM", "SIGINT"] as const)(
  "%s to all of them at once, as systemd and a terminal send it,",
  (signal) => {
    test("lets the requests under way finish, and exits 0", async () => {
      const server = await spawnLatchkey({ env: two });
      expect((await signUp(server.url, "kept@example.com")).status).toBe(200);
      const requests = await Promise.all(Array.from({ length: 6 }, () => unfinishedRequest(server.url)));
      await countAnswering(server);
      for (const pid of [...workersOf(server.pid), server.pid]) process.kill(pid, signal);
      await waitFor("the drain", () => events(server, "draining").length === 1);
      for (const { finish } of requests) finish();
      const answers = await Promise.all(requests.map(({ answer }) => answer));
      expect(answers.map((answer) => answer.slice(0, 12))).toEqual(requests.map(() => "HTTP/1.1 401"));
      expect(await server.exited).toBe(0);
      expect(server.logs().at(-1)).toMatchObject({ event: "stopped", reason: "drained" });
      // What was written is in the file itself: who copies that has all.
      const log = join(server.dir, "data", "latchkey.db-wal");
      expect(statSync(log, { throwIfNoEntry: false })?.size ?? 0).toBe(0);
      expect(existsSync(join(server.dir, "data", "latchkey.db-open"))).toBe(false);
    });

    test("a second time ends at once", async () => {
      const server = await spawnLatchkey({ env: two });
      const workers = workersOf(server.pid);
      const unfinished = await unfinishedRequest(server.url);
      await countAnswering(server);
      process.kill(server.pid, signal);
      await waitFor("the drain", () => events(server, "draining").length === 1);
      process.kill(server.pid, signal);
      expect(await server.exited).toBe(1);
      expect(server.logs().at(-1)).toMatchObject({ event: "stopped", reason: "second signal" });
      await waitFor("the workers' end", () => !workers.some(isAlive));
      unfinished.end();
    });
  },
);

describe("SIGHUP", () => {
  test("replaces every worker, and what is under way is finished", async () => {
    const server = await spawnLatchkey({ env: two });
    const before = workersOf(server.pid);
    const requests = await Promise.all(Array.from({ length: 6 }, () => unfinishedRequest(server.url)));
    await countAnswering(server);
    process.kill(server.pid, "SIGHUP");
    await waitFor("the first replacement", () => workersOf(server.pid).length === 3);
    for (const { finish } of requests) finish();
    const answers = await Promise.all(requests.map(({ answer }) => answer));
    expect(answers.map((answer) => answer.slice(0, 12))).toEqual(requests.map(() => "HTTP/1.1 401"));
    await waitFor("the end of the restart", () => events(server, "restarted").length === 1);
    const now = workersOf(server.pid);
    expect(now).toHaveLength(2);
    expect(now.filter((pid) => before.includes(pid))).toEqual([]);
    expect(events(server, "worker_replaced")).toHaveLength(2);
    expect(await countAnswering(server)).toBe(2);
    expect(await server.stop()).toBe(0);
  });

  test("leaves the workers as they are where no new one can start, and the log says why", async () => {
    const server = await spawnLatchkey({ env: two });
    const before = workersOf(server.pid);
    const database = join(server.dir, "data", "latchkey.db");
    // Another file in its place: what runs answers 503 for it, and nothing new may be opened on it.
    await Bun.$`mv ${database} ${`${database}.away`} && echo nonsense > ${database}`.quiet();
    process.kill(server.pid, "SIGHUP");
    await waitFor("the failure", () => events(server, "restart_failed").length === 1);
    expect(events(server, "restart_failed")[0]).toMatchObject({ level: "error", worker: 1 });
    expect(String(events(server, "restart_failed")[0]?.["reason"])).toContain("latchkey.db");
    expect(workersOf(server.pid)).toEqual(before);
    await server.stop();
  });

  test("that nohup ignores stays ignored", async () => {
    const server = await spawnUnderNohup(two);
    const before = workersOf(server.pid);
    process.kill(server.pid, "SIGHUP");
    await Bun.sleep(500);
    expect(workersOf(server.pid)).toEqual(before);
    expect(await server.stop()).toBe(0);
  });
});

describe("what workers have in common", () => {
  test("the log: whole lines, with the worker's number and pid", async () => {
    const server = await spawnLatchkey({ env: { ...two, LATCHKEY_LOG_EMAILS: "on" } });
    const long = `${"x".repeat(150)}@example.com`;
    const signIn = (at: number) =>
      askAnew(`${server.url}/api/auth/revoke-session`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ token: `${at}`, email: long }),
      });
    for (let round = 0; round < 10; round += 1)
      await Promise.all(Array.from({ length: 40 }, (_, at) => signIn(at)));
    const workers = workersOf(server.pid);
    await server.stop();
    const lines = server.stderr().trimEnd().split("\n");
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const actions = parsed.filter((line) => line["event"] === "session_revocation");
    expect(actions).toHaveLength(400);
    expect(new Set(actions.map((line) => line["worker"]))).toEqual(new Set([1, 2]));
    expect(new Set(actions.map((line) => line["pid"]))).toEqual(new Set(workers));
  });

  test("no environment: no worker has the secret in it", async () => {
    const secret = "canary-0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    const server = await spawnLatchkey({ env: { ...two, BETTER_AUTH_SECRET: secret } });
    expect(readFileSync(`/proc/${server.pid}/environ`, "utf8")).toContain(secret);
    for (const pid of workersOf(server.pid)) {
      const seen =
        readFileSync(`/proc/${pid}/environ`, "utf8") + readFileSync(`/proc/${pid}/cmdline`, "utf8");
      expect(seen).not.toContain("canary");
      expect(seen).not.toContain("LATCHKEY_");
    }
    await server.stop();
  });

  test("connections: no more than the setting, in a rolling restart either", async () => {
    const database = await openTestDatabase("postgres");
    const env = { ...database.env, ...two, LATCHKEY_DATABASE_CONNECTIONS: "9" };
    const server = await spawnLatchkey({ env });
    const counts: number[] = [];
    let isOver = false;
    const watch = (async () => {
      while (!isOver) {
        const rows = await database.query(
          "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'latchkey'",
        );
        counts.push(Number(rows[0]?.["n"]));
      }
    })();
    const load = async () => {
      for (let at = 0; !isOver; at += 1)
        await Promise.all(
          Array.from({ length: 8 }, (_, lane) =>
            signUp(server.url, `p${lane}-${at}@example.com`).catch(() => null),
          ),
        );
    };
    const loaded = load();
    await Bun.sleep(1_000);
    process.kill(server.pid, "SIGHUP");
    await waitFor("the end of the restart", () => events(server, "restarted").length === 1);
    isOver = true;
    await Promise.all([watch, loaded]);
    // Three workers at most, each with a third.
    expect(Math.max(...counts)).toBeLessThanOrEqual(9);
    expect(Math.max(...counts)).toBeGreaterThanOrEqual(6);
    await server.stop();
    await database.close();
  });
});
