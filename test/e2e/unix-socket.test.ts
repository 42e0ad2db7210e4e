import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { eventually } from "../support/process-figures.ts";
import { temporaryDirectory } from "../support/reaper.ts";
import { answeredBy, workersOf } from "../support/workers.ts";

setDefaultTimeout(60_000);

const person = { email: "socket@example.com", password: "correct horse battery", name: "Socket" };
const newPath = () => join(temporaryDirectory("socket"), "latchkey.sock");
const on = (path: string, more: Readonly<Record<string, string>> = {}) => ({
  env: { LATCHKEY_LISTEN: `unix:${path}`, ...more },
});
const ask = (unix: string, path: string, init: RequestInit = {}) =>
  fetch(`http://localhost${path}`, { redirect: "manual", ...init, unix });
const post = (unix: string, path: string, headers: Readonly<Record<string, string>> = {}) =>
  ask(unix, `/api/auth${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(person),
  });
const addressOf = async (unix: string, signedIn: Response) => {
  const cookie = signedIn.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const answer = await ask(unix, "/api/auth/get-session", { headers: { cookie } });
  return ((await answer.json()) as { session: { ipAddress: string } }).session.ipAddress;
};

describe("a Unix socket", () => {
  test("serves what the port serves, and its callers are a trusted proxy", async () => {
    const path = newPath();
    const server = await spawnLatchkey(on(path));
    expect((await post(path, "/sign-up/email", { "x-forwarded-for": "203.0.113.9" })).status).toBe(200);
    const headers = { "x-forwarded-for": "6.6.6.6, 203.0.113.7", "x-request-id": "proxy-1" };
    const signedIn = await post(path, "/sign-in/email", headers);
    expect([signedIn.status, signedIn.headers.get("x-request-id")]).toEqual([200, "proxy-1"]);
    expect(await addressOf(path, signedIn)).toBe("203.0.113.7");
    expect(await addressOf(path, await post(path, "/sign-in/email"))).toBe("127.0.0.1");
    // The port's callers are not.
    const byPort = await fetch(`${server.url}/api/auth/sign-in/email`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(person),
    });
    expect(byPort.headers.get("x-request-id")).not.toBe("proxy-1");
    expect(await addressOf(path, byPort)).toBe("127.0.0.1");
    // Verify's own way keeps a proxy's id, too.
    const cookie = signedIn.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    const verified = await ask(path, "/api/auth/verify", { headers: { cookie, "x-request-id": "proxy-2" } });
    expect([verified.status, verified.headers.get("x-request-id")]).toEqual([200, "proxy-2"]);
    const plain = await ask(path, "/api/auth/verify", { headers: { cookie } });
    expect([plain.status, plain.headers.get("x-auth-email")]).toEqual([200, person.email]);
    const led = await ask(path, "/api/auth/forward", {
      headers: {
        accept: "text/html",
        "x-forwarded-method": "GET",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "localhost:3000",
        "x-forwarded-uri": "/guide",
      },
    });
    expect([led.status, led.headers.get("location")]).toEqual([302, expect.stringContaining("guide")]);
    expect(server.logs().find(({ event }) => event === "listening")).toMatchObject({ sockets: [path] });
    await server.stop();
    expect(existsSync(path)).toBe(false);
  });

  test("has the mode and the group that were set before anybody can connect", async () => {
    const [group = "", , id = ""] =
      readFileSync("/etc/group", "utf8")
        .split("\n")
        .map((line) => line.split(":"))
        .find(([name]) => name === "daemon") ?? [];
    const path = newPath();
    const isRoot = process.geteuid?.() === 0;
    const server = await spawnLatchkey(on(path, isRoot ? { LATCHKEY_LISTEN_GROUP: group } : {}));
    const { mode, gid } = statSync(path);
    expect([(mode & 0o777).toString(8), gid]).toEqual([
      "660",
      isRoot ? Number(id) : (process.getegid?.() ?? 0),
    ]);
    await server.stop();
    const closed = await spawnLatchkey(on(path, { LATCHKEY_LISTEN_MODE: "600" }));
    expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
    await closed.stop();
  });

  test("that a killed server left is replaced", async () => {
    const path = newPath();
    const first = await spawnLatchkey(on(path));
    await first.kill();
    expect(lstatSync(path).isSocket()).toBe(true);
    const second = await spawnLatchkey(on(path));
    expect((await ask(path, "/health/live")).status).toBe(200);
    await second.stop();
  });

  test.each<readonly [string, string, (path: string) => void]>([
    ["a file", "is no socket", (path) => writeFileSync(path, "kept")],
    ["a link", "is no socket", (path) => symlinkSync("elsewhere", path)],
    ["a directory", "is no socket", (path) => mkdirSync(path)],
    [
      "nothing, and its directory is not",
      "is not there",
      (path) => rmSync(join(path, ".."), { recursive: true }),
    ],
  ])("is refused where %s is in its place, which stays", async (_what, reason, prepare) => {
    const path = newPath();
    prepare(path);
    const before = lstatSync(path, { throwIfNoEntry: false })?.ino;
    const { exitCode, stderr } = await runLatchkey(["serve"], {
      env: { PORT: "0", LATCHKEY_LISTEN: `unix:${path}` },
    });
    expect([exitCode, stderr]).toEqual([1, expect.stringMatching(new RegExp(`Error: .*${reason}`))]);
    expect(lstatSync(path, { throwIfNoEntry: false })?.ino).toBe(before);
  });

  test.each(["1", "2"])(
    "on which somebody answers is refused to another server, with %s workers",
    async (workers) => {
      const path = newPath();
      const server = await spawnLatchkey(on(path, { LATCHKEY_WORKERS: workers }));
      const { exitCode, stderr } = await runLatchkey(["serve"], {
        env: { PORT: "0", LATCHKEY_WORKERS: workers, LATCHKEY_LISTEN: `unix:${path}` },
      });
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining("is in use")]);
      expect((await ask(workers === "1" ? path : `${path}.2`, "/health/live")).status).toBe(200);
      await server.stop();
    },
  );

  test("of a new server is left to it when the old one stops", async () => {
    const path = newPath();
    const old = await spawnLatchkey(on(path));
    rmSync(path);
    const fresh = await spawnLatchkey(on(path));
    await old.stop();
    expect((await ask(path, "/health/live")).status).toBe(200);
    await fresh.stop();
    expect(existsSync(path)).toBe(false);
  });

  test("is asked by latchkey healthcheck, whatever its name is", async () => {
    const path = `${newPath()} a%41é?b#c`;
    const server = await spawnLatchkey(on(path));
    expect(await runLatchkey(["healthcheck", "--url", `unix:${path}`])).toMatchObject({ exitCode: 0 });
    await server.stop();
    expect(await runLatchkey(["healthcheck", "--url", `unix:${path}`])).toMatchObject({ exitCode: 1 });
  });

  test("keeps an idle connection for longer than proxies do", async () => {
    const path = newPath();
    const server = await spawnLatchkey(on(path));
    let answered = Promise.withResolvers<boolean>();
    const socket = await Bun.connect({
      unix: path,
      socket: { data: () => answered.resolve(true), close: () => answered.resolve(false) },
    });
    const again = async () => {
      answered = Promise.withResolvers<boolean>();
      socket.write("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
      return await answered.promise;
    };
    expect(await again()).toBe(true);
    // Bun's own default is 10 s, looked at every few.
    await Bun.sleep(17_000);
    expect(await again()).toBe(true);
    socket.end();
    await server.stop();
  });
});

describe("of several workers", () => {
  test("each has its own socket, and a rolling restart fails no new connection", async () => {
    const path = newPath();
    const server = await spawnLatchkey(on(path, { LATCHKEY_WORKERS: "2" }));
    expect(server.logs().find(({ event }) => event === "listening")).toMatchObject({
      sockets: [`${path}.1`, `${path}.2`],
    });
    const processes = new Set<string>();
    let isOver = false;
    let asked = 0;
    const failures: unknown[] = [];
    const visit = async (number: number) => {
      while (!isOver) {
        asked += 1;
        try {
          const answer = await ask(`${path}.${number}`, "/api/auth/verify", { keepalive: false });
          if (answer.status !== 401) failures.push(answer.status);
          processes.add(answeredBy(answer));
        } catch (error) {
          failures.push(error);
        }
      }
    };
    const visitors = [1, 2, 1, 2].map(visit);
    for (let round = 1; round <= 3; round += 1) {
      const before = workersOf(server.pid);
      process.kill(server.pid, "SIGHUP");
      const restarted = () => server.logs().filter(({ event }) => event === "restarted").length === round;
      expect(await eventually(restarted, 20_000)).toBe(true);
      expect(workersOf(server.pid).filter((pid) => before.includes(pid))).toEqual([]);
    }
    isOver = true;
    await Promise.all(visitors);
    expect(failures).toEqual([]);
    expect(asked).toBeGreaterThan(100);
    expect(processes.size).toBe(8);
    await server.stop();
    expect([existsSync(`${path}.1`), existsSync(`${path}.2`)]).toEqual([false, false]);
  });
});
