import { describe, expect, test } from "bun:test";
import { createHashLine } from "../../src/auth/hash-line.ts";
import { createHashSlots } from "../../src/auth/hash-slots.ts";
import { createRemoteHashing, type RemoteHashing } from "../../src/workers/remote-hashing.ts";
import { createSharedHashing } from "../../src/workers/shared-hashing.ts";

/** Both ends of as many workers as wanted, over messages as IPC brings them: as JSON, in order, later. */
function open(
  workers: number,
  limits: { readonly concurrency: number; readonly waiting: number },
  heldMaxMs?: number,
) {
  const slots = createHashSlots(limits.concurrency - 1 || 1);
  const join = createSharedHashing(createHashLine(limits), slots, heldMaxMs);
  const passOn = <T>(message: T, to: (message: T) => void) => {
    const text = JSON.stringify(message);
    setTimeout(() => to(JSON.parse(text) as T), 1);
  };
  return Array.from({ length: workers }, () => {
    const member = join((message) => passOn(message, (one) => remote.receive(one)));
    const remote: RemoteHashing = createRemoteHashing((message) =>
      passOn(message, (one) => member.receive(one)),
    );
    return { ...remote, end: () => member.end() };
  });
}

/** Work that lasts until it is let go; knows how many there are at once. */
function createWork() {
  let running = 0;
  let most = 0;
  const order: string[] = [];
  const waiting: (() => void)[] = [];
  const work = (name: string) => async () => {
    running += 1;
    most = Math.max(most, running);
    order.push(name);
    await new Promise<void>((resolve) => waiting.push(resolve));
    running -= 1;
    return name;
  };
  const finish = async (count: number) => {
    for (let done = 0; done < count; done += 1) {
      while (waiting.length === 0) await Bun.sleep(1);
      waiting.shift()?.();
      await Bun.sleep(10);
    }
  };
  return { work, finish, order, most: () => most, running: () => running };
}

const who = (client: string, gone?: AbortSignal) => ({ client, gone });
const settled = (promise: Promise<unknown>) =>
  promise.then(
    (value) => value,
    (error: { code?: string; headers?: Record<string, string> }) => [
      error.code,
      error.headers?.["Retry-After"],
    ],
  );

describe("the line of all workers", () => {
  test("lets as many in at once as that of one process", async () => {
    const [one, other] = open(2, { concurrency: 3, waiting: 100 });
    const { work, finish, most } = createWork();
    const done = Array.from({ length: 12 }, (_, at) =>
      (at % 2 === 0 ? one : other)?.line.enter(who(`c${at}`), work(`c${at}`)),
    );
    await finish(12);
    expect(await Promise.all(done)).toEqual(Array.from({ length: 12 }, (_, at) => `c${at}`));
    expect(most()).toBe(3);
  });

  test("has clients take turns, whichever worker they came to", async () => {
    const [one, other] = open(2, { concurrency: 1, waiting: 100 });
    const { work, finish, order } = createWork();
    const entered = [];
    for (const name of ["a1", "a2", "a3", "a4"]) entered.push(one?.line.enter(who("a"), work(name)));
    await Bun.sleep(10);
    entered.push(other?.line.enter(who("b"), work("b1")));
    await Bun.sleep(10);
    await finish(5);
    await Promise.all(entered);
    // The one that runs, and then the newcomer.
    expect(order.slice(0, 3)).toEqual(["a1", "b1", "a2"]);
  });

  test("is full for all: beyond it they are told when to come back", async () => {
    const [one, other] = open(2, { concurrency: 1, waiting: 2 });
    const { work, finish } = createWork();
    const answers = [one, other, one, other, one, other].map((worker, at) =>
      settled(worker?.line.enter(who("a"), work(`w${at}`)) ?? Promise.resolve()),
    );
    await finish(3);
    const found = await Promise.all(answers);
    expect(found.filter((answer) => typeof answer === "string")).toHaveLength(3);
    expect(found.filter((answer) => Array.isArray(answer))).toEqual(
      Array.from({ length: 3 }, () => ["TOO_BUSY", "1"]),
    );
  });

  test("is left by whoever has gone, and by a request that failed", async () => {
    const [one] = open(1, { concurrency: 1, waiting: 10 });
    const { work, finish, order } = createWork();
    const gone = new AbortController();
    const failing = settled(
      one?.line.enter(who("a"), () => Promise.reject(new Error("no"))) ?? Promise.resolve(),
    );
    const first = one?.line.enter(who("a"), work("first"));
    const left = settled(one?.line.enter(who("a", gone.signal), work("left")) ?? Promise.resolve());
    const last = one?.line.enter(who("a"), work("last"));
    await Bun.sleep(20);
    gone.abort();
    expect(await left).toEqual(["TOO_BUSY", "1"]);
    await finish(2);
    await Promise.all([failing, first, last]);
    expect(order).toEqual(["first", "last"]);
  });

  test("gets back what a worker had that ended", async () => {
    const [one, other] = open(2, { concurrency: 2, waiting: 10 });
    const { work, finish, running } = createWork();
    for (const name of ["x", "y", "z"]) void one?.line.enter(who(name), work(name));
    void one?.inTurn(work("hash"));
    await Bun.sleep(20);
    expect(running()).toBe(3);
    const next = other?.line.enter(who("b"), work("b"));
    const hash = other?.inTurn(work("other hash"));
    one?.end();
    await Bun.sleep(20);
    expect(running()).toBe(5);
    await finish(5);
    expect(await Promise.all([next, hash])).toEqual(["b", "other hash"]);
  });
});

test("a worker that is stuck keeps nobody from hashing for long, and all that it had waiting waits no more", async () => {
  const [stuck, other] = open(2, { concurrency: 2, waiting: 20 }, 100);
  const { work, finish } = createWork();
  const names = ["u", "v", "w", "x", "y", "z"];
  const waiting = names.map((name) => settled(stuck?.line.enter(who(name), work(name)) ?? Promise.resolve()));
  const hashes = [1, 2, 3].map(() => stuck?.inTurn(work("hash")));
  await Bun.sleep(20);
  const started = performance.now();
  const next = other?.line.enter(who("b"), () => other.inTurn(async () => "b"));
  expect(await next).toBe("b");
  // Each of its six has not had 100 ms, nor has each of its hashes.
  expect(performance.now() - started).toBeLessThan(250);
  // Once it goes on, what it was at is finished, and what waited is refused.
  await finish(5);
  expect(await Promise.all(waiting)).toEqual([
    "u",
    "v",
    ...Array.from({ length: 4 }, () => ["TOO_BUSY", "1"]),
  ]);
  await Promise.all(hashes);
  const again = names.map((name) => stuck?.line.enter(who(name), async () => name));
  expect(await Promise.all(again)).toEqual(names);
});

describe("the hashes of all workers", () => {
  test("are as many at once as of one process", async () => {
    const workers = open(4, { concurrency: 3, waiting: 1 });
    const { work, finish, most } = createWork();
    const done = Array.from({ length: 16 }, (_, at) => workers[at % 4]?.inTurn(work(`h${at}`)));
    await finish(16);
    await Promise.all(done);
    expect(most()).toBe(2);
  });
});
