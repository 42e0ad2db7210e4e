import { describe, expect, jest, test } from "bun:test";
import { createHealth, createReadiness, live } from "../../src/http/health.ts";

/** Health over a database that answers as the test says, and a clock that the test moves. */
function open() {
  const state = {
    now: 1_000_000,
    pings: 0,
    idleMs: 0,
    ping: () => Promise.resolve(1),
    failures: [] as unknown[],
    pending: [] as string[],
  };
  const readiness = createReadiness({
    async probe() {
      state.pings += 1;
      await state.ping();
      return state.pending;
    },
    onFailure: (error) => void state.failures.push(error),
    idleMs: () => state.idleMs,
    now: () => state.now,
  });
  const health = createHealth("1.2.3", readiness);
  const ask = async () => {
    const response = await health();
    return { response, body: (await response.json()) as Record<string, unknown> };
  };
  const status = async () => (await ask()).response.status;
  return { state, ask, status, health };
}

const lost = () => Promise.reject(new Error("connect ECONNREFUSED 10.0.0.7:5432"));

describe("createHealth", () => {
  test("says ok, and how long the database took", async () => {
    const { ask, state } = open();
    state.ping = async () => {
      state.now += 7;
      return 1;
    };
    const { response, body } = await ask();
    expect([
      response.status,
      response.headers.get("cache-control"),
      response.headers.get("retry-after"),
    ]).toEqual([200, "no-store", null]);
    expect(body).toEqual({
      status: "ok",
      version: "1.2.3",
      checks: { database: { status: "ok", latencyMs: 7 }, migrations: { status: "ok", pending: 0 } },
    });
  });

  test("reuses a good result for 5 s, and no longer", async () => {
    const { state, status } = open();
    const asked: number[] = [];
    for (const after of [0, 1, 2_500, 5_000, 5_001, 5_002, 10_002, 10_003]) {
      state.now = 1_000_000 + after;
      expect(await status()).toBe(200);
      asked.push(state.pings);
    }
    expect(asked).toEqual([1, 1, 1, 1, 2, 2, 3, 3]);
  });

  test("leaves a database asleep that nobody asked for a minute, and says so", async () => {
    const { state, ask } = open();
    expect((await ask()).body["checks"]).not.toHaveProperty("database.idle");
    state.now += 100_000;
    state.idleMs = 60_001;
    expect(await ask()).toMatchObject({
      response: { status: 200 },
      body: { status: "ok", checks: { database: { status: "ok", idle: true } } },
    });
    expect(state.pings).toBe(1);
    state.idleMs = 3;
    expect((await ask()).body["checks"]).not.toHaveProperty("database.idle");
    expect(state.pings).toBe(2);
  });

  test("asks a database again that was not well, however long nobody asked", async () => {
    const { state, status } = open();
    state.ping = lost;
    expect(await status()).toBe(503);
    state.idleMs = 1_000_000;
    state.ping = async () => 1;
    expect([await status(), state.pings]).toEqual([200, 2]);
  });

  test("S87: asks anew when the clock was put back", async () => {
    const { state, status } = open();
    await status();
    state.now -= 1;
    await status();
    expect(state.pings).toBe(2);
  });

  test("asks once for many at once", async () => {
    const { state, health } = open();
    const gate = Promise.withResolvers<number>();
    state.ping = () => gate.promise;
    const asked = Array.from({ length: 20 }, health);
    gate.resolve(1);
    expect(new Set((await Promise.all(asked)).map((response) => response.status))).toEqual(new Set([200]));
    expect(state.pings).toBe(1);
  });

  test("says 503 for a lost database, names nothing of it, and asks anew each time", async () => {
    const { state, ask, status } = open();
    state.ping = lost;
    const { response, body } = await ask();
    expect([
      response.status,
      response.headers.get("retry-after"),
      response.headers.get("cache-control"),
    ]).toEqual([503, "2", "no-store"]);
    expect(body).toMatchObject({ status: "unavailable", checks: { database: { status: "unavailable" } } });
    expect(JSON.stringify(body)).not.toMatch(/ECONN|10\.0/);
    expect([await status(), state.pings]).toEqual([503, 2]);
    // Said once, until it is well again.
    expect(state.failures).toHaveLength(1);
    state.ping = () => Promise.resolve(1);
    expect([await status(), state.pings]).toEqual([200, 3]);
  });

  test("notices a lost database once its last good result is 5 s old", async () => {
    const { state, status } = open();
    await status();
    state.ping = lost;
    state.now += 5_000;
    expect(await status()).toBe(200);
    state.now += 1;
    expect(await status()).toBe(503);
  });

  test("says 503 within 2 s when the database does not answer", async () => {
    jest.useFakeTimers();
    try {
      const { state, status } = open();
      state.ping = () => new Promise(() => {});
      const asked = status();
      jest.advanceTimersByTime(1_799);
      expect(await Promise.race([asked, Promise.resolve("waiting")])).toBe("waiting");
      jest.advanceTimersByTime(200);
      expect(await asked).toBe(503);
    } finally {
      jest.useRealTimers();
    }
  });

  test("is not ready while a migration is missing", async () => {
    const { state, ask } = open();
    state.pending = ["0003_next"];
    const { response, body } = await ask();
    expect(response.status).toBe(503);
    expect(body).toMatchObject({
      status: "unavailable",
      checks: { migrations: { status: "pending", pending: 1 } },
    });
    expect(JSON.stringify(body)).not.toContain("0003_next");
  });
});

describe("live", () => {
  test("answers without asking anything", async () => {
    const response = live("1.2.3");
    expect([response.status, response.headers.get("cache-control"), await response.json()]).toEqual([
      200,
      "no-store",
      { status: "ok", version: "1.2.3" },
    ]);
  });
});
