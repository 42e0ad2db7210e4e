import { describe, expect, test } from "bun:test";
import { clientOf, createHashLine } from "../../src/auth/hash-line.ts";

/** A line whose work ends when the test says so. */
function open(concurrency = 1, waiting = 1_000) {
  const line = createHashLine({ concurrency, waiting });
  const started: string[] = [];
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const enter = (client: string, name: string, gone?: AbortSignal) =>
    line
      .enter({ client, gone }, async () => {
        started.push(name);
        const gate = Promise.withResolvers<void>();
        gates.set(name, gate);
        await gate.promise;
        return name;
      })
      .catch(
        (error: { status?: number; code?: string; headers?: Record<string, string> }) =>
          `${error.status} ${error.code} ${error.headers?.["Retry-After"]}`,
      );
  const end = async (name: string) => {
    gates.get(name)?.resolve();
    await Bun.sleep(0);
  };
  return { line, enter, end, started };
}

describe("createHashLine", () => {
  test("serves clients in turn, each one's requests in their order", async () => {
    const { enter, end, started } = open();
    const entered = [
      ["a", "a1"],
      ["a", "a2"],
      ["a", "a3"],
      ["b", "b1"],
      ["c", "c1"],
      ["b", "b2"],
    ].map(([client = "", name = ""]) => enter(client, name));
    await Bun.sleep(0);
    for (let at = 0; at < entered.length; at += 1) await end(started[at] ?? "");
    // Newcomers come first, for three turns.
    expect(started).toEqual(["a1", "b1", "c1", "a2", "b2", "a3"]);
    expect(await Promise.all(entered)).toEqual(["a1", "a2", "a3", "b1", "c1", "b2"]);
  });

  test("runs as many at once as it may", async () => {
    const { enter, end, started } = open(3);
    for (let at = 0; at < 5; at += 1) void enter(`c${at}`, `n${at}`);
    await Bun.sleep(0);
    expect(started).toHaveLength(3);
    await end("n1");
    expect(started).toHaveLength(4);
  });

  test("S67: refuses at once who would wait too long, with the time it would take", async () => {
    const { enter, started } = open();
    // 80 ms each, until it is measured: 37 wait for 3 s.
    const answers = Array.from({ length: 60 }, (_, at) => enter("flood", `f${at}`));
    const refused = await Promise.race([answers[59], Bun.sleep(500)]);
    expect(refused).toMatch(/^503 TOO_BUSY [45]$/);
    expect(started).toEqual(["f0"]);
    // Somebody else is next but one.
    const other = enter("other", "o");
    expect(await Promise.race([other, Bun.sleep(100).then(() => "waits")])).toBe("waits");
  });

  test("measures: where hashing is slow, fewer may wait", async () => {
    const { line } = open();
    for (let at = 0; at < 8; at += 1)
      await line.enter({ client: "slow", gone: undefined }, () => Bun.sleep(150));
    const { enter } = { enter: () => line.enter({ client: "c", gone: undefined }, () => Bun.sleep(150)) };
    const results = Array.from({ length: 40 }, () =>
      enter().then(
        () => true,
        () => false,
      ),
    );
    const taken = (await Promise.all(results)).filter(Boolean).length;
    expect(taken).toBeGreaterThan(15);
    expect(taken).toBeLessThan(32);
  }, 20_000);

  test("lets a newcomer in when it is full, and the last of the longest out", async () => {
    const { enter, end, started } = open(1, 4);
    const flood = Array.from({ length: 5 }, (_, at) => enter("flood", `f${at}`));
    const refused = await enter("flood", "f5");
    expect(refused).toMatch(/^503 TOO_BUSY/);
    const other = enter("other", "o");
    expect(await flood[4]).toMatch(/^503 TOO_BUSY/);
    await end("f0");
    expect(started).toEqual(["f0", "o"]);
    await end("o");
    expect(await other).toBe("o");
  });

  test("S67: somebody who signs in once does not wait for hundreds who never stop", async () => {
    const { enter, end, started } = open(1, 30);
    // Each has had a turn, and is back.
    const hostile = Array.from({ length: 20 }, (_, at) => `h${at}`);
    for (const client of hostile) {
      const had = enter(client, client);
      await Bun.sleep(0);
      await end(client);
      await had;
    }
    for (const client of hostile) void enter(client, `${client} again`);
    void enter("honest", "honest");
    await Bun.sleep(0);
    for (let at = 20; at < 23; at += 1) await end(started[at] ?? "");
    expect(started.slice(20, 23)).toContain("honest");
    // Nor do those who are back wait for ever, however many newcomers there are.
    for (let at = 0; at < 20; at += 1) void enter(`n${at}`, `n${at}`);
    await Bun.sleep(0);
    const before = started.length;
    for (let at = before - 1; at < before + 11; at += 1) await end(started[at] ?? "");
    const turns = started.slice(before).map((name) => (name.startsWith("n") ? "new" : "back"));
    expect(turns.filter((turn) => turn === "back")).toHaveLength(3);
  });

  test("S67: when it is full of those who have been there, a newcomer has one's place", async () => {
    const { enter, end, started } = open(1, 3);
    for (const client of ["h0", "h1", "h2", "h3"]) {
      const had = enter(client, client);
      await Bun.sleep(0);
      await end(client);
      await had;
    }
    const hostile = ["h0", "h1", "h2", "h3"].map((client) => enter(client, `${client} again`));
    // One of their own finds no room.
    const late = enter("h0", "h0 too");
    expect(await late).toMatch(/^503 TOO_BUSY/);
    const honest = enter("honest", "honest");
    expect(await hostile[3]).toMatch(/^503 TOO_BUSY/);
    await end("h0 again");
    expect(started.at(-1)).toBe("honest");
    await end("honest");
    expect(await honest).toBe("honest");
  });

  test("forgets who has gone", async () => {
    const { enter, end, started } = open();
    const gone = new AbortController();
    const first = enter("a", "a1");
    const second = enter("a", "a2", gone.signal);
    const third = enter("a", "a3");
    gone.abort();
    expect(await second).toMatch(/^503 TOO_BUSY/);
    await end("a1");
    await end("a3");
    expect(await Promise.all([first, third])).toEqual(["a1", "a3"]);
    expect(started).toEqual(["a1", "a3"]);
  });

  test("goes on after work that failed", async () => {
    const { line } = open();
    const failing = line.enter({ client: "a", gone: undefined }, () => Promise.reject(new Error("broken")));
    await expect(failing).rejects.toThrow("broken");
    expect(await line.enter({ client: "a", gone: undefined }, async () => "fine")).toBe("fine");
  });
});

test.each([
  ["203.0.113.9", "203.0.113.9"],
  ["::ffff:203.0.113.9", "203.0.113.9"],
  ["2001:db8:1:2:3:4:5:6", clientOf("2001:db8:1:2::1")],
  ["not an address", "not an address"],
])("%s stands for %s", (address, client) => {
  expect(clientOf(address)).toBe(client);
});

test("networks of IPv6 are told apart", () => {
  expect(clientOf("2001:db8:1:3::1")).not.toBe(clientOf("2001:db8:1:2::1"));
});
