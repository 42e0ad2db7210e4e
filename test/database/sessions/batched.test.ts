import { describe, expect, test } from "bun:test";
import type { SessionColumns } from "../../../src/database/sessions/lookup.ts";
import { openBatchedSessions } from "../../../src/database/sessions/batched.ts";
import type { SessionRow } from "../../../src/database/sessions/store.ts";
import { within } from "../../support/within.ts";

/** As PostgreSQL sends them: instants in seconds. */
const columns = (token: string): SessionColumns => [
  `id-${token}`,
  token,
  "u",
  0.003,
  0.001,
  0.002,
  null,
  "agent",
  "Name",
  "u@example.com",
  true,
  null,
  0.004,
  0.005,
];

interface Batch {
  readonly tokens: readonly string[];
  readonly answer: (tokens: readonly string[], change?: (columns: SessionColumns) => void) => void;
  readonly fail: (error: Error) => void;
}

/** A store whose batches the test answers by hand. @param room batches at once, as `widen` may change it. */
function open({ room = 10, widen = () => {} }: { room?: number; widen?: (add: () => void) => void } = {}) {
  const batches: Batch[] = [];
  const counts = { resets: 0, connects: 0, widened: 0 };
  /** What `connect` waits for where there is no connection. */
  let connecting: PromiseWithResolvers<void> | null = null;
  const arrivals: PromiseWithResolvers<void>[] = [];
  const sessions = openBatchedSessions({
    batchSize: 32,
    batchesInFlight: () => room,
    async widen() {
      counts.widened += 1;
      widen(() => void (room += 1));
    },
    connect() {
      if (connecting !== null) counts.connects += 1;
      return connecting?.promise ?? null;
    },
    run(tokens) {
      const { promise, resolve, reject } = Promise.withResolvers<SessionColumns[]>();
      batches.push({
        tokens,
        answer(found, change) {
          const rows = found.map(columns);
          for (const row of rows) change?.(row);
          resolve(rows);
        },
        fail: reject,
      });
      for (const arrival of arrivals.splice(0)) arrival.resolve();
      return { connected: null, rows: promise };
    },
    reset: () => void (counts.resets += 1),
    close: async () => {},
  });
  const find = (token: string) => Promise.resolve(sessions.find(token));
  /** Resolves once so many batches were sent. */
  const sent = async (count: number): Promise<Batch> => {
    while (batches.length < count) {
      const arrival = Promise.withResolvers<void>();
      arrivals.push(arrival);
      await arrival.promise;
    }
    const batch = batches[count - 1];
    if (batch === undefined) throw new Error(`there is no batch ${count}`);
    return batch;
  };
  /** Takes the connection away; it is back once the answer's `connected` is called. */
  const disconnect = () => {
    const lost = Promise.withResolvers<void>();
    connecting = lost;
    return {
      connected() {
        connecting = null;
        lost.resolve();
      },
      /** So does every further try, until it is `connected`. */
      fail(reason: Error) {
        const again = Promise.withResolvers<void>();
        again.promise.catch(() => {});
        again.reject(reason);
        connecting = again;
        lost.reject(reason);
      },
    };
  };
  return { find, sent, batches, counts, disconnect };
}

const outcome = (lookup: Promise<SessionRow | null>) =>
  lookup.then(
    (row) => row?.token ?? null,
    (error: { status?: number; code?: string }) => `${error.status} ${error.code}`,
  );
const unavailable = "503 STORE_UNAVAILABLE";

describe("openBatchedSessions", () => {
  test("sends what waits once there is room for another batch, without the first being answered", async () => {
    const { find, sent } = open({ room: 1, widen: (add) => add() });
    const first = find("a");
    await sent(1);
    const second = find("b");
    (await sent(2)).answer(["b"]);
    expect(await outcome(second)).toBe("b");
    (await sent(1)).answer(["a"]);
    expect(await outcome(first)).toBe("a");
  });

  test("does not turn in a circle where no room came of it", async () => {
    const { find, sent, batches, counts } = open({ room: 1 });
    const first = find("a");
    await sent(1);
    const second = find("b");
    await Bun.sleep(20);
    expect(counts.widened).toBeWithin(1, 5);
    expect(batches).toHaveLength(1);
    (await sent(1)).answer(["a"]);
    (await sent(2)).answer(["b"]);
    expect(await Promise.all([outcome(first), outcome(second)])).toEqual(["a", "b"]);
  });

  test("reads a row's columns into a session", async () => {
    const { find, sent } = open();
    const lookup = find("a");
    (await sent(1)).answer(["a"]);
    expect(await lookup).toEqual({
      id: "id-a",
      token: "a",
      userId: "u",
      expiresAt: 3,
      createdAt: 1,
      updatedAt: 2,
      ipAddress: null,
      userAgent: "agent",
      user: {
        id: "u",
        name: "Name",
        email: "u@example.com",
        emailVerified: true,
        image: null,
        createdAt: 4,
        updatedAt: 5,
      },
    });
  });

  test("asks once for what is asked for together, each token once, and gives everybody his own", async () => {
    const { find, sent, batches } = open();
    const lookups = ["a", "b", "a", "gone", "b"].map((token) => outcome(find(token)));
    const batch = await sent(1);
    expect(batch.tokens).toEqual(["a", "b", "gone"]);
    // In another order than asked, and with one that nobody asked for.
    batch.answer(["z", "b", "a"]);
    expect(await Promise.all(lookups)).toEqual(["a", "b", "a", null, "b"]);
    expect(batches).toHaveLength(1);
  });

  test("asks anew for a token that a batch under way already asks for: that answer may be too old", async () => {
    const { find, sent } = open();
    const first = outcome(find("a"));
    const early = await sent(1);
    const second = outcome(find("a"));
    const late = await sent(2);
    late.answer([]);
    early.answer(["a"]);
    expect(await Promise.all([first, second])).toEqual(["a", null]);
  });

  test("sends a full batch at once, ten of them at the most, and larger ones as they return", async () => {
    const { find, sent, batches } = open();
    const tokens = Array.from({ length: 32 * 10 + 256 + 7 }, (_, at) => `t${at}`);
    const lookups = tokens.map((token) => outcome(find(token)));
    // Not a turn of the event loop later.
    expect(batches.map((batch) => batch.tokens.length)).toEqual(Array(10).fill(32));
    batches[0]?.answer(batches[0].tokens);
    expect((await sent(11)).tokens).toEqual(tokens.slice(320, 576));
    batches[1]?.answer(batches[1].tokens);
    expect((await sent(12)).tokens).toEqual(tokens.slice(576));
    for (const batch of batches) batch.answer(batch.tokens);
    expect(await Promise.all(lookups)).toEqual(tokens);
  });

  test("sends two batches without gathering, and lets the third gather over turns of the event loop", async () => {
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const gathered: boolean[] = [];
    // On a busy machine a turn may take longer than lookups gather.
    while (gathered.length < 50 && !gathered.includes(true)) {
      const { find, sent, batches } = open();
      const lookups: Promise<string | null>[] = [];
      for (const token of ["a", "b", "c", "d"]) {
        lookups.push(outcome(find(token)));
        await turn();
      }
      const third = await sent(3);
      expect(batches.slice(0, 2).map((batch) => batch.tokens)).toEqual([["a"], ["b"]]);
      gathered.push(third.tokens.length === 2);
      if (third.tokens.length === 1) await sent(4);
      for (const batch of batches) batch.answer(batch.tokens);
      expect(await Promise.all(lookups)).toEqual(["a", "b", "c", "d"]);
    }
    expect(gathered).toContain(true);
  });

  test("gives the same object for a row that is as it was, and another for one that is not", async () => {
    const { find, sent } = open();
    let asked = 0;
    const ask = async (change?: (columns: SessionColumns) => void) => {
      const lookup = find("a");
      (await sent((asked += 1))).answer(["a"], change);
      return await lookup;
    };
    const first = await ask();
    expect(await ask()).toBe(first);
    for (let at = 0; at < 14; at += 1) {
      if (at === 1) continue;
      const changed = await ask((row) => {
        row[at] = typeof row[at] === "number" ? 4_102_444_800 : row[at] === true ? false : "changed";
      });
      expect(changed).not.toEqual(first);
      expect(await ask()).toEqual(first);
    }
  });

  test("refuses at once when 8,192 wait, and takes more when they are answered", async () => {
    const { find, sent, batches } = open();
    const first = Array.from({ length: 320 }, (_, at) => outcome(find(`f${at}`)));
    const waiting = Array.from({ length: 8_192 }, (_, at) => outcome(find(`w${at}`)));
    expect(await outcome(find("one too many"))).toBe(unavailable);
    for (let count = 1; count <= 42; count += 1) (await sent(count)).answer(batches[count - 1]?.tokens ?? []);
    expect((await Promise.all([...first, ...waiting])).filter((found) => found === unavailable)).toEqual([]);
    const more = outcome(find("again"));
    (await sent(43)).answer(["again"]);
    expect(await more).toBe("again");
  });

  test("asks a lost batch once more", async () => {
    const { find, sent, counts } = open();
    const lookup = outcome(find("a"));
    (await sent(1)).fail(new Error("connection lost"));
    const second = await sent(2);
    expect(second.tokens).toEqual(["a"]);
    second.answer(["a"]);
    expect([await lookup, counts.resets]).toEqual(["a", 0]);
  });

  test("gives up a batch that is lost six times, with 503 and another connection, and goes on", async () => {
    const { find, sent, counts, batches } = open();
    const lookups = [outcome(find("a")), outcome(find("b"))];
    (await sent(1)).fail(new Error("connection lost"));
    (await sent(2)).fail(new Error("connection refused"));
    for (const at of [3, 4, 5, 6]) (await sent(at)).fail(new Error("connection refused"));
    expect(await Promise.all(lookups)).toEqual([unavailable, unavailable]);
    expect([batches.length, counts.resets]).toEqual([6, 1]);
    // The next one is not tried as often, until one was not in vain.
    const another = outcome(find("a"));
    for (const at of [7, 8]) (await sent(at)).fail(new Error("connection refused"));
    expect([await another, batches.length]).toEqual([unavailable, 8]);
    const next = outcome(find("a"));
    (await sent(9)).answer(["a"]);
    expect(await next).toBe("a");
  });

  test("gives up a late batch after 900 ms, with all that waits behind it", async () => {
    const { find, sent, counts } = open();
    const lookup = outcome(find("a"));
    await sent(1);
    expect(await within(lookup, 4_000)).toBe(unavailable);
    expect(counts.resets).toBe(1);
  });

  test("does not ask a late batch again when its connection is closed", async () => {
    const { find, sent, batches } = open();
    const lookup = outcome(find("a"));
    const batch = await sent(1);
    expect(await lookup).toBe(unavailable);
    batch.fail(new Error("connection closed"));
    const next = outcome(find("b"));
    expect((await sent(2)).tokens).toEqual(["b"]);
    batches[1]?.answer(["b"]);
    expect(await next).toBe("b");
    expect(batches).toHaveLength(2);
  });

  test("does not ask a batch again that the driver gave up as late before the timer came", async () => {
    const { find, sent, batches } = open();
    const lookup = outcome(find("a"));
    const batch = await sent(1);
    Bun.sleepSync(950);
    batch.fail(new Error("Query read timeout"));
    expect(await lookup).toBe(unavailable);
    expect(batches).toHaveLength(1);
  });

  test("refuses what waited too long for a batch, and sends what did not", async () => {
    const { find, sent, batches } = open();
    const first = Array.from({ length: 320 }, (_, at) => outcome(find(`f${at}`)));
    const early = outcome(find("early"));
    await Bun.sleep(500);
    const late = outcome(find("late"));
    batches[0]?.answer(batches[0].tokens);
    expect(await early).toBe(unavailable);
    expect((await sent(11)).tokens).toEqual(["late"]);
    for (const batch of batches) batch.answer(batch.tokens);
    expect([await late, await first[0]]).toEqual(["late", "f0"]);
  });

  test("replaces the connection once for the batches that were late on it together", async () => {
    const { find, sent, counts } = open();
    const lookups = [outcome(find("a"))];
    await sent(1);
    lookups.push(outcome(find("b")));
    await sent(2);
    lookups.push(outcome(find("c")));
    await sent(3);
    expect(await Promise.all(lookups)).toEqual([unavailable, unavailable, unavailable]);
    expect(counts.resets).toBe(1);
  });

  test("fails a lookup with the cause for the log", async () => {
    const { find, sent } = open();
    const lookup = find("a").catch((error: unknown) => error);
    const cause = new Error("refused");
    (await sent(1)).fail(cause);
    (await sent(2)).fail(cause);
    expect(await lookup).toMatchObject({ status: 503, cause, headers: { "Retry-After": "1" } });
  });
});

describe("a database that slept", () => {
  test("is waited for by all at once, longer than for an answer", async () => {
    const { find, sent, batches, counts, disconnect } = open();
    const sleeping = disconnect();
    const lookups = ["a", "b", "c"].map((token) => outcome(find(token)));
    await Bun.sleep(1_300);
    lookups.push(outcome(find("d")));
    expect(batches).toHaveLength(0);
    sleeping.connected();
    const batch = await sent(1);
    expect(batch.tokens).toEqual(["a", "b", "c", "d"]);
    // They have a second from here on.
    await Bun.sleep(400);
    batch.answer(batch.tokens);
    expect(await Promise.all(lookups)).toEqual(["a", "b", "c", "d"]);
    // One for all, and another beside it after a second: it might hang.
    expect(counts).toMatchObject({ resets: 0, connects: 2 });
  });

  test("is waited for by a batch whose connection was lost", async () => {
    const { find, sent, disconnect, counts } = open();
    const lookup = outcome(find("a"));
    const batch = await sent(1);
    const sleeping = disconnect();
    batch.fail(new Error("connection closed"));
    await Bun.sleep(1_300);
    sleeping.connected();
    const again = await sent(2);
    again.answer(again.tokens);
    expect(await lookup).toBe("a");
    expect(counts).toMatchObject({ resets: 0, connects: 2 });
  });

  test("is waited for five seconds in all, however often its connection is lost", async () => {
    const { find, sent, disconnect } = open();
    const lookup = outcome(find("early"));
    for (let lost = 1; lost <= 2; lost += 1) {
      const batch = await sent(lost);
      const sleeping = disconnect();
      batch.fail(new Error("connection closed"));
      await Bun.sleep(lost === 1 ? 3_500 : 500);
      if (lost === 1) sleeping.connected();
    }
    // One of the five seconds is left.
    expect(await within(lookup, 3_000)).toBe(unavailable);
  }, 15_000);

  test("refuses each of a batch after its own five seconds", async () => {
    const { find, sent, disconnect } = open();
    const sleeping = disconnect();
    const early = outcome(find("early"));
    await Bun.sleep(3_000);
    const late = outcome(find("late"));
    sleeping.connected();
    const batch = await sent(1);
    expect(batch.tokens).toEqual(["early", "late"]);
    const asleep = disconnect();
    batch.fail(new Error("connection closed"));
    expect(await within(early, 4_000)).toBe(unavailable);
    asleep.connected();
    (await sent(2)).answer(["late"]);
    expect(await late).toBe("late");
  }, 15_000);

  test("is given up after five seconds, and once that was in vain, after one", async () => {
    const { find, counts, disconnect, sent } = open();
    const sleeping = disconnect();
    const started = performance.now();
    expect(await outcome(find("a"))).toBe(unavailable);
    expect(performance.now() - started).toBeGreaterThan(4_500);
    expect(counts.resets).toBe(1);
    // The first is still waited for: nobody waits long for one that is down.
    const second = performance.now();
    expect(await outcome(find("b"))).toBe(unavailable);
    expect(performance.now() - second).toBeLessThan(4_000);
    sleeping.connected();
    const third = outcome(find("c"));
    const batch = await sent(1);
    batch.answer(batch.tokens);
    expect(await third).toBe("c");
  }, 15_000);

  test("is tried again within a second where it refuses, and then not for as long", async () => {
    const { find, disconnect, sent, counts } = open();
    const refusing = disconnect();
    const lookups = ["a", "b"].map((token) => outcome(find(token)));
    await Bun.sleep(20);
    refusing.fail(new Error("connection refused"));
    expect(await Promise.all(lookups)).toEqual([unavailable, unavailable]);
    expect(counts.connects).toBe(6);
    expect(await outcome(find("c"))).toBe(unavailable);
    expect(counts.connects).toBe(8);
    refusing.connected();
    const next = outcome(find("a"));
    const batch = await sent(1);
    batch.answer(["a"]);
    expect(await next).toBe("a");
  });

  test("is there for those who waited where only the first connections were dead", async () => {
    const { find, disconnect, sent } = open();
    const dying = disconnect();
    const lookup = outcome(find("a"));
    await Bun.sleep(20);
    dying.fail(new Error("server conn crashed?"));
    await Bun.sleep(60);
    dying.connected();
    const batch = await sent(1);
    batch.answer(["a"]);
    expect(await lookup).toBe("a");
  });
});
