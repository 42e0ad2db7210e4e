import { expect, test } from "bun:test";
import { watchUntilStuck } from "../../src/workers/stuck-watch.ts";

const everyMs = 5;
const never = new Promise<never>(() => {});

/** A worker that answers those pings whose number is not among the missed ones. */
function worker(missed: readonly number[], ended: Promise<string> = never) {
  let pings = 0;
  return {
    pings: () => pings,
    ended,
    ping: () => (missed.includes((pings += 1)) ? never : Promise.resolve()),
  };
}

test("five pings without an answer are a worker that is stuck, and no fewer", async () => {
  const four = worker([1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 15]);
  expect(await watchUntilStuck(four, () => true, everyMs)).toBe(true);
  expect(four.pings()).toBe(15);
});

test("a worker that ends, or is replaced, is not stuck", async () => {
  const ended = Promise.withResolvers<string>();
  const all = Array.from({ length: 100 }, (_, at) => at + 1);
  const dying = worker(all, ended.promise);
  setTimeout(() => ended.resolve("SIGKILL"), 3 * everyMs);
  expect(await watchUntilStuck(dying, () => true, everyMs)).toBe(false);
  const replaced = worker(all);
  expect(await watchUntilStuck(replaced, () => replaced.pings() < 2, everyMs)).toBe(false);
});
