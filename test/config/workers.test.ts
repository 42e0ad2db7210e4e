import { describe, expect, test } from "bun:test";
import { connectionsOfEach } from "../../src/config/workers.ts";
import { load, problemsOf, STRONG_SECRET } from "./load.ts";

const server = { DATABASE_URL: "postgres://u@db.example.com/auth", BETTER_AUTH_SECRET: STRONG_SECRET };
const workersOf = (env: Record<string, string>, deps = {}) => load(env, deps).config.workers;

describe("LATCHKEY_WORKERS", () => {
  test("is one a core where it is auto, as far as the connections go", () => {
    expect(workersOf({ LATCHKEY_WORKERS: "auto" }, { cpuCount: 12 })).toBe(12);
    expect(workersOf({ LATCHKEY_WORKERS: "auto" }, { cpuCount: 400 })).toBe(64);
    expect(workersOf({ LATCHKEY_WORKERS: "Auto", ...server }, { cpuCount: 12 })).toBe(7);
    const more = { LATCHKEY_WORKERS: "auto", LATCHKEY_DATABASE_CONNECTIONS: "100", ...server };
    expect(workersOf(more, { cpuCount: 12 })).toBe(12);
    const few = { LATCHKEY_WORKERS: "auto", LATCHKEY_DATABASE_CONNECTIONS: "2", ...server };
    expect(workersOf(few, { cpuCount: 12 })).toBe(1);
  });

  test.each(["darwin", "win32"])("is one on %s, and no more", (platform) => {
    expect(workersOf({ LATCHKEY_WORKERS: "auto" }, { platform })).toBe(1);
    expect(workersOf({ LATCHKEY_WORKERS: "1" }, { platform })).toBe(1);
    expect(problemsOf({ LATCHKEY_WORKERS: "2" }, { platform })).toMatchObject([
      { variable: "LATCHKEY_WORKERS", reason: expect.stringContaining("on Linux alone") },
    ]);
  });

  test("is refused where each would have fewer than two connections", () => {
    expect(workersOf({ LATCHKEY_WORKERS: "7", ...server }, { cpuCount: 8 })).toBe(7);
    expect(problemsOf({ LATCHKEY_WORKERS: "8", ...server }, { cpuCount: 8 })).toEqual([
      {
        variable: "LATCHKEY_WORKERS",
        reason: "is 8, for which 16 connections are too few",
        remedy: "write 7 at the most, or set LATCHKEY_DATABASE_CONNECTIONS to 18 or more",
      },
    ]);
    // SQLite needs none.
    expect(workersOf({ LATCHKEY_WORKERS: "8" }, { cpuCount: 8 })).toBe(8);
  });

  test("warns of more than there are cores", () => {
    expect(load({ LATCHKEY_WORKERS: "5" }, { cpuCount: 4 }).warnings).toEqual([
      "LATCHKEY_WORKERS is 5, but this machine has 4 cores",
    ]);
    expect(load({ LATCHKEY_WORKERS: "4" }, { cpuCount: 4 }).warnings).toEqual([]);
  });

  test("divides the connections so that one more worker has its part, too", () => {
    for (let workers = 2; workers <= 40; workers += 1)
      for (let connections = 2 * (workers + 1); connections <= 100; connections += 1) {
        const each = connectionsOfEach(connections, workers);
        expect(each).toBeGreaterThanOrEqual(2);
        expect(each * (workers + 1)).toBeLessThanOrEqual(connections);
      }
    expect(connectionsOfEach(16, 1)).toBe(16);
  });
});

describe("LATCHKEY_LISTEN", () => {
  const on = { LATCHKEY_LISTEN: "unix:/run/latchkey/latchkey.sock" };

  test("has a mode and a group", () => {
    expect(load(on).config.socket).toEqual({
      path: "/run/latchkey/latchkey.sock",
      mode: 0o660,
      group: null,
    });
    const { config, warnings } = load({ ...on, LATCHKEY_LISTEN_MODE: "0640", LATCHKEY_LISTEN_GROUP: "33" });
    expect([config.socket, warnings]).toMatchObject([{ mode: 0o640, group: "33" }, []]);
  });

  test("warns where everybody may connect", () => {
    expect(load({ ...on, LATCHKEY_LISTEN_MODE: "666" }).warnings).toEqual([
      expect.stringContaining("state any client address"),
    ]);
  });

  test.each([
    ["LATCHKEY_LISTEN_MODE", "rw-rw----"],
    ["LATCHKEY_LISTEN_MODE", "999"],
    ["LATCHKEY_LISTEN_MODE", "66"],
    ["LATCHKEY_LISTEN_MODE", "4660"],
    ["LATCHKEY_LISTEN_GROUP", "www data"],
    ["LATCHKEY_LISTEN_GROUP", "a:b"],
  ])("is refused with %s=%s", (name, value) => {
    expect(problemsOf({ ...on, [name]: value }).map(({ variable }) => variable)).toEqual([name]);
  });

  test("is not for Windows", () => {
    expect(problemsOf(on, { platform: "win32" })).toMatchObject([{ variable: "LATCHKEY_LISTEN" }]);
    expect(load(on, { platform: "darwin" }).config.socket?.mode).toBe(0o660);
  });
});
