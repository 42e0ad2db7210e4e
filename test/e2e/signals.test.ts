import { existsSync } from "node:fs";
import { join } from "node:path";
import { hashPassword as hashByScrypt } from "better-auth/crypto";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { openTestDatabase } from "../support/databases.ts";
import {
  buildExecutable,
  type RunningLatchkey,
  spawnLatchkey,
  spawnUnderNohup,
} from "../support/executable.ts";
import { temporaryDirectory, watchProcess } from "../support/reaper.ts";
import { within } from "../support/within.ts";

setDefaultTimeout(60_000);

const signUp = (url: string, email: string) =>
  fetch(`${url}/api/auth/sign-up/email`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password: "correct horse battery", name: "Signal" }),
  });

/** A keep-alive connection that has had its answer and stays; `ask` resolves to false when it is gone. */
async function idleConnection(url: string) {
  const { hostname, port } = new URL(url);
  let answered = Promise.withResolvers<boolean>();
  const closed = Promise.withResolvers<void>();
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: () => answered.resolve(true),
      close: () => {
        answered.resolve(false);
        closed.resolve();
      },
    },
  });
  const ask = async () => {
    answered = Promise.withResolvers<boolean>();
    socket.write("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return await answered.promise;
  };
  expect(await ask()).toBe(true);
  return { closed: closed.promise, ask, end: () => socket.end() };
}

/** A sign-in whose body is still missing its last byte; `finish` sends it. */
async function unfinishedRequest(url: string) {
  const { hostname, port } = new URL(url);
  const socket = await Bun.connect({ hostname, port: Number(port), socket: { data: () => {} } });
  const body = JSON.stringify({ email: "a@example.com", password: "correct horse battery" });
  socket.write(
    "POST /api/auth/sign-in/email HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
      `Content-Length: ${body.length}\r\n\r\n${body.slice(0, -1)}`,
  );
  return { finish: () => void socket.write(body.slice(-1)), end: () => socket.end() };
}

describe.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("%s", (signal) => {
  test("S85: lets the requests under way finish, waits for no idle connection, and exits 0", async () => {
    const server = await spawnLatchkey({ env: {} });
    const idle = await idleConnection(server.url);
    expect(existsSync(join(server.dir, "data", "latchkey.db-wal"))).toBe(true);
    // Their connections are there already: the requests are read in the order in which they are sent.
    await Promise.all([1, 2, 3, 4].map(async () => await (await fetch(`${server.url}/health/live`)).text()));
    const answers = [1, 2, 3, 4].map((index) => signUp(server.url, `s${index}@example.com`));
    // Under way: the first has been answered, the others wait for their hash.
    await answers[0];
    process.kill(server.pid, signal);
    const statuses = (await Promise.all(answers)).map((answer) => answer.status);
    expect(statuses).toEqual([200, 200, 200, 200]);
    expect(await server.exited).toBe(0);
    await idle.closed;
    // The last connection to a SQLite file takes its log away.
    expect(existsSync(join(server.dir, "data", "latchkey.db-wal"))).toBe(false);
    expect(server.logs().map((line) => line["event"])).toContain("draining");
    expect(server.logs().at(-1)).toMatchObject({ event: "stopped", reason: "drained" });
    const again = await spawnLatchkey({ env: {}, cwd: server.dir });
    const verified = await signUp(again.url, "s4@example.com");
    expect(verified.status).toBe(422);
    expect(await again.stop()).toBe(0);
  });

  test("S85: a second time ends at once", async () => {
    const server = await spawnLatchkey({ env: {} });
    // It keeps the drain waiting.
    const unfinished = await unfinishedRequest(server.url);
    await fetch(`${server.url}/health/live`);
    process.kill(server.pid, signal);
    while (!server.logs().some((line) => line["event"] === "draining")) await Bun.sleep(5);
    process.kill(server.pid, signal);
    expect(await server.exited).toBe(1);
    expect(server.logs().at(-1)).toMatchObject({ event: "stopped", reason: "second signal" });
    unfinished.end();
  });
});

test("C16, S85: a second signal ends it at once, too, while it waits for its database to close", async () => {
  const database = await openTestDatabase("postgres");
  const server = await spawnLatchkey({ env: database.env });
  expect((await signUp(server.url, "slow@example.com")).status).toBe(200);
  await database.query("UPDATE account SET password = $1", [await hashByScrypt("correct horse battery")]);
  const signIn = await fetch(`${server.url}/api/auth/sign-in/email`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "slow@example.com", password: "correct horse battery" }),
  });
  expect(signIn.status).toBe(200);
  // The hash that is being renewed behind the answer cannot be written any more.
  database.network?.stall(true);
  process.kill(server.pid, "SIGTERM");
  while (!server.logs().some((line) => line["event"] === "draining")) await Bun.sleep(5);
  await Bun.sleep(100);
  process.kill(server.pid, "SIGTERM");
  expect(await server.exited).toBe(1);
  expect(server.logs().at(-1)).toMatchObject({ event: "stopped", reason: "second signal" });
  await database.close();
});

describe.each(["1", "2"])("a start that waits for its database, LATCHKEY_WORKERS=%s", (workers) => {
  test("S85: hears its signals already: as a container's first process it would get none", async () => {
    const asked = Promise.withResolvers<void>();
    const silent = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { open: () => asked.resolve(), data: () => {} },
    });
    const child = Bun.spawn([await buildExecutable()], {
      cwd: temporaryDirectory("starting"),
      env: {
        PORT: "0",
        LATCHKEY_WORKERS: workers,
        BETTER_AUTH_SECRET: "q7Zr0cV9m2Xw5Ty8Lk3Jh6Gf1Ds4Ap-Nb",
        DATABASE_URL: `postgresql://latchkey:latchkey@127.0.0.1:${silent.port}/latchkey?sslmode=disable`,
      },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    watchProcess(child.pid, "KILL");
    const log = new Response(child.stderr).text();
    await asked.promise;
    if (workers === "2") {
      // It replaces workers, once they are there.
      child.kill("SIGHUP");
      expect(await within(child.exited, 500)).toBeUndefined();
    }
    child.kill("SIGTERM");
    expect(await within(child.exited, 1_000)).toBe(0);
    expect((await log).trim().split("\n").at(-1)).toContain('"reason":"SIGTERM while starting"');
    silent.stop(true);
  });
});

test("C16: a SIGHUP that nohup ignores stays ignored", async () => {
  const server = await spawnUnderNohup();
  process.kill(server.pid, "SIGHUP");
  expect(await within(server.exited, 500)).toBeUndefined();
  expect(await server.stop()).toBe(0);
});

describe("connections and the end", () => {
  let server: RunningLatchkey;
  let idle: Awaited<ReturnType<typeof idleConnection>>;
  let idleSince = 0;
  beforeAll(async () => {
    server = await spawnLatchkey({ env: {} });
    idle = await idleConnection(server.url);
    idleSince = Date.now();
  });
  afterAll(async () => {
    idle.end();
    await server.stop();
  });

  test("S85: what goes on behind the answers is finished: a hash that is being renewed", async () => {
    const database = await openTestDatabase("sqlite");
    const before = await spawnLatchkey({ env: database.env });
    expect((await signUp(before.url, "old@example.com")).status).toBe(200);
    await before.stop();
    await database.query("UPDATE account SET password = $1", [await hashByScrypt("correct horse battery")]);
    const server = await spawnLatchkey({ env: database.env });
    const signIn = await fetch(`${server.url}/api/auth/sign-in/email`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email: "old@example.com", password: "correct horse battery" }),
    });
    expect(signIn.status).toBe(200);
    expect(await server.stop()).toBe(0);
    expect(await database.query("SELECT password FROM account")).toEqual([
      { password: expect.stringMatching(/^\$argon2id\$/) },
    ]);
    await database.close();
  });

  test("S85: what does not finish is cut after 10 s", async () => {
    // The longest that a request may take: its body's 10 s and then the database's 5 s.
    const database = await openTestDatabase("postgres");
    const stuck = await spawnLatchkey({ env: database.env });
    const unfinished = await unfinishedRequest(stuck.url);
    await fetch(`${stuck.url}/health`);
    process.kill(stuck.pid, "SIGTERM");
    await Bun.sleep(7_000);
    database.network?.stall(true);
    unfinished.finish();
    expect(await within(stuck.exited, 30_000)).toBe(0);
    expect(stuck.logs().at(-1)).toMatchObject({ event: "stopped", reason: "drain timeout" });
    unfinished.end();
    database.network?.stall(false);
    await database.close();
  });

  test("an idle connection is kept for longer than proxies keep theirs in doubt", async () => {
    // Bun looks at idle connections every few seconds: one of 5 s would be gone by then.
    await Bun.sleep(Math.max(0, 13_000 - (Date.now() - idleSince)));
    expect(await idle.ask()).toBe(true);
  });
});
