import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { expect, setDefaultTimeout, test } from "bun:test";
import { buildExecutable } from "../support/executable.ts";
import { temporaryDirectory, watchProcess } from "../support/reaper.ts";
import { within } from "../support/within.ts";

setDefaultTimeout(60_000);

/** The executable with its log in a pipe that is read only when the test says so. */
async function start() {
  const directory = temporaryDirectory("log-reader");
  const fifo = join(directory, "log");
  expect(Bun.spawnSync(["mkfifo", fifo]).exitCode).toBe(0);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const child = Bun.spawn(["sh", "-c", `exec "$0" serve 2>"$1"`, await buildExecutable(), fifo], {
    cwd: directory,
    env: { PORT: "0", PATH: process.env["PATH"] ?? "" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  watchProcess(child.pid, "KILL");
  const buffer = Buffer.alloc(65_536);
  /** What is there to be read now. */
  const readAll = (): string => {
    let text = "";
    for (;;) {
      try {
        const length = readSync(reader, buffer);
        if (length === 0) return text;
        text += buffer.toString("utf8", 0, length);
      } catch (error) {
        if ((error as { code?: string }).code === "EAGAIN") return text;
        throw error;
      }
    }
  };
  let begun = "";
  const deadline = Date.now() + 15_000;
  while (!begun.includes('"listening"') && Date.now() < deadline) {
    begun += readAll();
    await Bun.sleep(10);
  }
  const url = /"url":"([^"]+)"/.exec(begun)?.[1] ?? "";
  return { child, url, readAll, close: () => closeSync(reader) };
}

test("C12, S66: a log reader that stops reading stops nothing, and is told what it missed", async () => {
  const { child, url, readAll, close } = await start();
  const signOut = () =>
    fetch(`${url}/api/auth/sign-out`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    }).then((answer) => answer.status);
  const count = 9_000;
  const statuses = new Set<number>();
  const lane = async (asks: number) => {
    for (let at = 0; at < asks; at += 1) statuses.add(await signOut());
  };
  await Promise.all(Array.from({ length: 30 }, () => lane(count / 30)));
  expect(statuses).toEqual(new Set([200]));
  expect((await fetch(`${url}/health/live`)).status).toBe(200);
  let text = "";
  const deadline = Date.now() + 10_000;
  while (!text.includes("dropped") && Date.now() < deadline) {
    text += readAll();
    await Bun.sleep(5);
  }
  const lines = text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { readonly event?: string; readonly dropped?: number });
  const told = lines.filter(({ event }) => event === "sign_out").length;
  const dropped = lines.find((line) => line.dropped !== undefined)?.dropped ?? 0;
  expect(dropped).toBeGreaterThan(0);
  expect(told + dropped).toBe(count);
  // From here on, everything is told again.
  await signOut();
  await Bun.sleep(100);
  expect(readAll()).toContain("sign_out");
  child.kill("SIGTERM");
  expect(await within(child.exited, 10_000)).toBe(0);
  expect(readAll()).toContain('"stopped"');
  close();
});

test("C12, S66: the end waits for no reader either", async () => {
  const { child, url, close } = await start();
  const flood = Array.from({ length: 800 }, () => fetch(`${url}/api/auth/sign-out`, { method: "POST" }));
  await Promise.all(flood);
  child.kill("SIGTERM");
  expect(await within(child.exited, 10_000)).toBe(0);
  close();
});
