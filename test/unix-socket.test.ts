import { existsSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { claimSocketPaths, listenOnSocket } from "../src/unix-socket.ts";
import { temporaryDirectory } from "./support/reaper.ts";

/** A server's way to its socket. */
async function start(path: string, mode = 0o660, group: string | null = null) {
  const release = await claimSocketPaths([path]);
  try {
    return listenOnSocket({ path, mode, group });
  } finally {
    release();
  }
}

const newPath = () => join(temporaryDirectory("socket"), "x.sock");

describe("a socket's path", () => {
  test("is had by one of five who come at once, and then by nobody", async () => {
    for (let round = 0; round < 10; round += 1) {
      const path = newPath();
      const starts = await Promise.allSettled([1, 2, 3, 4, 5].map(() => start(path)));
      const had = starts.filter(({ status }) => status === "fulfilled");
      for (const one of starts) if (one.status === "fulfilled") await one.value.stop();
      expect(had).toHaveLength(1);
    }
  });

  test("is waited for while somebody else looks", async () => {
    const path = newPath();
    const release = await claimSocketPaths([path]);
    let isHad = false;
    const second = start(path).then((listener) => {
      isHad = true;
      return listener;
    });
    await Bun.sleep(100);
    expect(isHad).toBe(false);
    release();
    await (await second).stop();
  });

  test("leaves nothing behind, whether it was had or not", async () => {
    const path = newPath();
    const listener = await start(path);
    expect(readdirSync(join(path, ".."))).toEqual(["x.sock"]);
    await listener.stop();
    expect(start(path, 0o660, "no-such-group")).rejects.toThrow("there is no group no-such-group");
    await Bun.sleep(10);
    expect(readdirSync(join(path, ".."))).toEqual([]);
  });

  test("is made under a name that no worker has, whatever number this process has in its container", async () => {
    const path = newPath();
    const worker = await start(`${path}.${process.pid}`);
    const alone = await start(path);
    expect(existsSync(`${path}.${process.pid}`)).toBe(true);
    await alone.stop();
    await worker.stop();
  });

  test("always leads to somebody while one takes another's place", async () => {
    const path = newPath();
    const listeners = [listenOnSocket({ path, mode: 0o600, group: null })];
    for (let round = 0; round < 20; round += 1) {
      const before = lstatSync(path).ino;
      listeners.push(listenOnSocket({ path, mode: 0o600, group: null }));
      expect(lstatSync(path).ino).not.toBe(before);
      await listeners.shift()?.stop();
      expect(existsSync(path)).toBe(true);
      expect((await fetch("http://localhost/health/live", { unix: path })).status).toBe(503);
    }
    await listeners[0]?.stop();
    expect(existsSync(path)).toBe(false);
  });
});
