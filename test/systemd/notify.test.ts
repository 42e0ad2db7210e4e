import { Database } from "bun:sqlite";
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { type NotifySocket, openNotifySocket } from "../support/notify-socket.ts";
import { temporaryDirectory } from "../support/reaper.ts";
import { workersOf } from "../support/workers.ts";

setDefaultTimeout(30_000);

type Assignments = Readonly<Record<string, string>>;

const sockets: NotifySocket[] = [];
const listen = (kind: "path" | "abstract" = "path") => {
  const socket = openNotifySocket(kind);
  sockets.push(socket);
  return socket;
};
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

const isReady = (one: Assignments) => one["READY"] === "1";
const isAlive = (one: Assignments) => one["WATCHDOG"] === "1";
/** Waits until so many have come. @returns them. */
const heard = async (socket: NotifySocket, wanted: (one: Assignments) => boolean, times = 1) => {
  for (;;) {
    const found = socket.received().filter(wanted);
    if (found.length >= times) return found;
    await Bun.sleep(5);
  }
};

describe.skipIf(process.platform !== "linux")("systemd", () => {
  test.each(["path", "abstract"] as const)(
    "hears by its %s that the server answers, and ends",
    async (kind) => {
      const socket = listen(kind);
      const server = await spawnLatchkey({ env: { NOTIFY_SOCKET: socket.name } });
      const [ready] = await heard(socket, isReady);
      expect(ready).toEqual({ READY: "1", STATUS: `listening at ${server.url} for ${server.origin}` });
      expect((await fetch(`${server.url}/health`)).status).toBe(200);
      expect(await server.stop()).toBe(0);
      expect(socket.received().slice(1)).toEqual([
        { STOPPING: "1", STATUS: "finishing the requests under way" },
      ]);
    },
  );

  test("hears nothing of a server that still waits for its database", async () => {
    const socket = listen();
    const cwd = temporaryDirectory("migrated");
    expect(await runLatchkey(["migrate"], { cwd })).toMatchObject({ exitCode: 0 });
    const holder = new Database(join(cwd, "data", "latchkey.db"));
    // Without its log a lock keeps readers out, too.
    holder.run("PRAGMA journal_mode = DELETE");
    holder.run("BEGIN EXCLUSIVE");
    const starting = spawnLatchkey({ cwd, env: { NOTIFY_SOCKET: socket.name } });
    // Longer than a start takes.
    await Bun.sleep(500);
    expect(socket.received()).toEqual([]);
    holder.run("COMMIT");
    holder.close();
    const server = await starting;
    await heard(socket, isReady);
    await server.stop();
  });

  test("is shown life for as long as the loop runs, and none while it stands still", async () => {
    const socket = listen();
    const env = { NOTIFY_SOCKET: socket.name, WATCHDOG_USEC: "100000" };
    const server = await spawnLatchkey({ env });
    await heard(socket, isAlive, 3);
    process.kill(server.pid, "SIGSTOP");
    while (!/^State:\s+T/m.test(readFileSync(`/proc/${server.pid}/status`, "utf8"))) await Bun.sleep(5);
    const before = socket.received().filter(isAlive).length;
    await Bun.sleep(500);
    expect(socket.received().filter(isAlive).length).toBe(before);
    process.kill(server.pid, "SIGCONT");
    await heard(socket, isAlive, before + 2);
    expect(await server.stop()).toBe(0);
  });

  test.each([
    ["waits for nobody", {}],
    ["waits for another process", { WATCHDOG_USEC: "100000", WATCHDOG_PID: "1" }],
    ["says no time", { WATCHDOG_USEC: "soon" }],
  ])("is shown no life where its watchdog %s", async (_what, watchdog) => {
    const socket = listen();
    const server = await spawnLatchkey({ env: { NOTIFY_SOCKET: socket.name, ...watchdog } });
    await heard(socket, isReady);
    await server.stop();
    expect(socket.received().map((one) => Object.keys(one)[0])).toEqual(["READY", "STOPPING"]);
  });

  test("that is not there, or is no address, keeps no server from serving", async () => {
    for (const name of ["/nowhere/notify", "@nobody", "vsock:2:1234", "", `/${"long".repeat(40)}`]) {
      const server = await spawnLatchkey({ env: { NOTIFY_SOCKET: name, WATCHDOG_USEC: "1000" } });
      expect((await fetch(`${server.url}/health`)).status).toBe(200);
      expect(await server.stop()).toBe(0);
    }
  });

  test("asks a server with nothing to read again for a reload, and that goes on", async () => {
    const socket = listen();
    const server = await spawnLatchkey({ env: { NOTIFY_SOCKET: socket.name } });
    process.kill(server.pid, "SIGHUP");
    while (!server.logs().some(({ event }) => event === "reload_ignored")) await Bun.sleep(5);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    await heard(socket, isReady, 2);
    expect(socket.received().map((one) => Object.keys(one)[0])).toEqual(["READY", "RELOADING", "READY"]);
    expect(await server.stop()).toBe(0);
  });

  test("hears of workers once, from the supervisor, and of their replacement", async () => {
    const socket = listen();
    const env = { NOTIFY_SOCKET: socket.name, WATCHDOG_USEC: "100000", LATCHKEY_WORKERS: "2" };
    const server = await spawnLatchkey({ env });
    const [ready] = await heard(socket, isReady);
    expect(ready?.["STATUS"]).toBe(`2 workers listening at ${server.url} for ${server.origin}`);
    await heard(socket, isAlive, 3);
    for (const pid of workersOf(server.pid))
      expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toMatch(/NOTIFY_SOCKET|WATCHDOG/);
    process.kill(server.pid, "SIGHUP");
    await heard(socket, isReady, 2);
    const told = socket.received().filter((one) => !isAlive(one));
    expect(told.map((one) => Object.keys(one)[0])).toEqual(["READY", "RELOADING", "READY"]);
    const [seconds = 0] = readFileSync("/proc/uptime", "utf8").split(" ").map(Number);
    const usec = Number(told[1]?.["MONOTONIC_USEC"]);
    // The clock of systemd, which began when the machine did, and not that of the process.
    expect([usec > 0, usec <= (seconds + 1) * 1e6, usec > (seconds - 60) * 1e6]).toEqual([true, true, true]);
    expect(await server.stop()).toBe(0);
  });
});
