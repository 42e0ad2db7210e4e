import type { Socket } from "bun";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { buildExecutable, type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { addMember, memberPassword } from "../support/member.ts";
import { eventually, processFigures } from "../support/process-figures.ts";

setDefaultTimeout(120_000);

/** Started with so many descriptors and no way to more: Bun takes as many as it may have. */
const spawnWith = async (descriptors: number, { env }: TestDatabase) =>
  await spawnLatchkey({
    env,
    executable: "/bin/sh",
    args: ["-c", `ulimit -n ${descriptors}; exec "$0"`, await buildExecutable()],
  });

/** Connections that say nothing, or have had an answer and stay. */
async function connect({ url }: RunningLatchkey, count: number, request: string): Promise<Socket[]> {
  const { hostname, port } = new URL(url);
  const sockets: Socket[] = [];
  let answered = 0;
  for (let made = 0; made < count; made += 100) {
    const some = Array.from({ length: Math.min(100, count - made) }, () =>
      Bun.connect({
        hostname,
        port: Number(port),
        socket: { data: () => void (answered += 1), error: () => {}, close: () => {} },
      }),
    );
    for (const socket of await Promise.all(some)) {
      if (request !== "") socket.write(request);
      sockets.push(socket);
    }
  }
  if (request !== "") expect(await eventually(() => answered === count, 30_000)).toBe(true);
  return sockets;
}

const live = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** On a connection of its own; undefined where there was no answer within 3 s. */
const statusOf = (url: string, init: RequestInit = {}) =>
  fetch(url, { ...init, keepalive: false, signal: AbortSignal.timeout(3_000) }).then(
    async (answer) => {
      await answer.arrayBuffer();
      return answer.status;
    },
    () => undefined,
  );

describe("S69: 5,000 idle connections", () => {
  test("are kept, and others are served beside them; descriptors and memory come back", async () => {
    const database = await openTestDatabase("sqlite");
    const server = await spawnWith(8_192, database);
    const member = await addMember(database);
    const browser = member.browser(server.origin, await member.session());
    expect((await browser.fetch("/api/auth/verify")).status).toBe(200);
    const before = processFigures(server.pid);
    const sockets = [...(await connect(server, 2_500, "")), ...(await connect(server, 2_500, live))];
    const there = () => processFigures(server.pid).descriptors >= before.descriptors + 5_000;
    expect(await eventually(there, 30_000)).toBe(true);
    const during = processFigures(server.pid);
    for (let asked = 0; asked < 20; asked += 1)
      expect((await browser.fetch("/api/auth/verify")).status).toBe(200);
    const signIn = { email: member.email, password: memberPassword };
    expect((await browser.auth.signIn.email(signIn)).error).toBeNull();
    expect(await statusOf(`${server.url}/health`)).toBe(200);
    // One that was idle is served too.
    let answer = "";
    const [idle] = sockets;
    idle?.reload({ socket: { data: (_, bytes) => void (answer += bytes.toString()), error: () => {} } });
    idle?.write(live);
    expect(await eventually(() => answer.startsWith("HTTP/1.1 200 "), 10_000)).toBe(true);
    for (const socket of sockets) socket.end();
    // A few may stay that fetch keeps.
    const gone = () => processFigures(server.pid).descriptors <= before.descriptors + 4;
    expect(await eventually(gone, 30_000)).toBe(true);
    // 8 KiB a connection, beside what serving takes.
    expect(during.rssBytes - before.rssBytes).toBeLessThan(5_000 * 8 * 1024 + 16 * 1024 * 1024);
    expect(await server.stop()).toBe(0);
    await database.close();
  });
});

describe.each(dialects)("S69: 64 descriptors and 200 connections on %s", (dialect) => {
  test("whoever was there is served, the others wait, and all is well once they are gone", async () => {
    const database = await openTestDatabase(dialect);
    const server = await spawnWith(64, database);
    const member = await addMember(database);
    const browser = member.browser(server.origin, await member.session());
    const verify = async () => (await browser.fetch("/api/auth/verify")).status;
    expect([await verify(), await statusOf(`${server.url}/health`)]).toEqual([200, 200]);
    const before = processFigures(server.pid).descriptors;
    const sockets = await connect(server, 200, "");
    expect(await eventually(() => processFigures(server.pid).descriptors >= 64, 10_000)).toBe(true);
    // The database's connections, too, are lost while no descriptor is free.
    database.network?.cut();
    // On the connection that it has; where the database needs a new one it may be 503, but is no 401.
    const answers = dialect === "sqlite" ? [200] : [200, 503];
    for (let asked = 0; asked < 5; asked += 1) expect(answers).toContain(await verify());
    const errors = () => server.logs().filter(({ level }) => level === "fatal");
    expect(errors()).toEqual([]);
    for (const socket of sockets) socket.end();
    expect(await eventually(() => processFigures(server.pid).descriptors <= before + 20, 20_000)).toBe(true);
    const signUp = (email: string) =>
      statusOf(`${server.url}/api/auth/sign-up/email`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ email, password: memberPassword, name: "After" }),
      });
    const isBack = async () => (await statusOf(`${server.url}/health`)) === 200;
    const deadline = Date.now() + 20_000;
    while (!(await isBack()) && Date.now() < deadline) await Bun.sleep(50);
    expect([await isBack(), await verify(), await signUp("after@example.com")]).toEqual([true, 200, 200]);
    expect(await server.stop()).toBe(0);
    await database.close();
  });
});
