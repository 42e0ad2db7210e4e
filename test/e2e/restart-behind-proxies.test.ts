import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { spawnLatchkey } from "../support/executable.ts";
import { addMember } from "../support/member.ts";
import { eventually } from "../support/process-figures.ts";
import { proxyCommand, type ProxyName, type RunningProxy, startProxy } from "../support/proxy.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

/** Requests each 10 ms: 500 a second. */
const batch = 5;
const batchMs = 10;
/** Each resets one connection or none where nobody tries again: so many that some would be lost. 50 in `bun run test:long`. */
const restarts = Number(process.env["LATCHKEY_TEST_RESTARTS"] ?? 10);

/** Visitors at an even pace, whether they are answered or not, until it is over. */
async function visit(proxy: RunningProxy, cookie: string, isOver: () => boolean) {
  const failures: string[] = [];
  const under: Promise<void>[] = [];
  const kinds = [
    ["/api/auth/verify", 200],
    ["/api/auth/get-session", 200],
    ["/signin?callbackUrl=/x", 303],
    ["/openapi.json", 200],
    ["/nowhere", 404],
  ] as const;
  const ask = async (at: number) => {
    const [path, wanted] = kinds[at % kinds.length] ?? ["/", 0];
    const got = await proxy.ask(path, { headers: { cookie } }).then(
      async (answer) => {
        await answer.arrayBuffer();
        return String(answer.status);
      },
      (error: unknown) => String(error),
    );
    // Somebody who is signed in is shown a page, or sent on.
    if (got !== String(wanted) && !(wanted === 303 && got === "200")) failures.push(`${path}: ${got}`);
  };
  const started = performance.now();
  for (let round = 0; !isOver(); round += 1) {
    for (let one = 0; one < batch; one += 1) under.push(ask(round * batch + one));
    await Bun.sleep(Math.max(0, started + (round + 1) * batchMs - performance.now()));
  }
  await Promise.all(under);
  return { asked: under.length, failures };
}

async function restartUnderLoad(
  name: ProxyName,
  command: readonly string[],
  dialect: (typeof dialects)[number],
  marker: string,
) {
  const database = await openTestDatabase(dialect);
  const socket = join(temporaryDirectory("socket"), "latchkey.sock");
  const server = await spawnLatchkey({
    env: {
      ...database.env,
      LATCHKEY_WORKERS: "2",
      LATCHKEY_LISTEN: `unix:${socket}`,
      LATCHKEY_TRUSTED_PROXIES: "127.0.0.0/8",
    },
  });
  const member = await addMember(database);
  const cookie = member.browser(server.origin, await member.session()).jar.header();
  const proxy = await startProxy(name, command, marker, {
    "127.0.0.1:3001": new URL(server.url).host,
    "/run/latchkey/latchkey.sock": socket,
  });
  let isOver = false;
  const visits = visit(proxy, cookie, () => isOver);
  await Bun.sleep(500);
  for (let round = 1; round <= restarts; round += 1) {
    process.kill(server.pid, "SIGHUP");
    const count = () => server.logs().filter(({ event }) => event === "restarted").length;
    expect(await eventually(() => count() === round, 20_000)).toBe(true);
    await Bun.sleep(50);
  }
  isOver = true;
  const { asked, failures } = await visits;
  console.log(
    `${name}, ${marker}, ${dialect}: ${failures.length} of ${asked} failed over ${restarts} restarts`,
  );
  expect(failures).toEqual([]);
  expect(asked).toBeGreaterThan(300);
  await proxy.stop();
  await server.stop();
  await database.close();
}

for (const name of ["caddy", "nginx"] as const) {
  const command = await proxyCommand(name);
  const isHere = typeof command !== "string";
  describe.skipIf(!isHere)(`${name} as in docs/proxies.md${isHere ? "" : ` (${command})`}`, () => {
    const started = isHere ? command : [];
    test.each(dialects)("loses nothing in a rolling restart of workers on %s", async (dialect) => {
      await restartUnderLoad(name, started, dialect, "workers");
    });

    test("loses nothing in one by their Unix sockets", async () => {
      await restartUnderLoad(name, started, "sqlite", "sockets of workers");
    });

    test("reaches one process by its Unix socket, and says who the client is", async () => {
      const socket = join(temporaryDirectory("socket"), "latchkey.sock");
      const server = await spawnLatchkey({ env: { LATCHKEY_LISTEN: `unix:${socket}` } });
      const proxy = await startProxy(name, started, "socket", { "/run/latchkey/latchkey.sock": socket });
      const answer = await proxy.ask("/api/auth/sign-up/email", {
        method: "POST",
        headers: { "content-type": "application/json", "x-request-id": `by-${name}` },
        body: JSON.stringify({ email: "by@example.com", password: "correct horse battery", name: "By" }),
      });
      expect([answer.status, answer.headers.get("x-request-id")]).toEqual([200, `by-${name}`]);
      const signedUp = () => server.logs().find(({ event }) => event === "sign_up");
      expect(await eventually(() => signedUp() !== undefined, 5_000)).toBe(true);
      expect(signedUp()).toMatchObject({ clientAddress: "127.0.0.1", requestId: `by-${name}` });
      await proxy.stop();
      await server.stop();
    });
  });
}
