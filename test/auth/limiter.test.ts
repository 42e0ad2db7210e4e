import { expect, test } from "bun:test";
import { createLimiter } from "../../src/auth/limiter.ts";
import type { Count, LimitStore } from "../../src/database/limit-store.ts";

/** Counts in memory. */
function createStore(): LimitStore {
  const counts = new Map<string, Count>();
  const change = (key: string, by: number, expiresAt: number): Count => {
    const before = counts.get(key) ?? { points: 0, expiresAt };
    const after = { ...before, points: before.points + by };
    counts.set(key, after);
    return after;
  };
  return {
    add: async (key, points, durationMs) => change(key, points, Date.now() + durationMs),
    takeBack: async (key) => void change(key, -1, 0),
    remove: async (key) => void counts.delete(key),
  };
}

const open = () => createLimiter({ store: createStore(), prefix: "test", points: 10, durationSeconds: 900 });

test("more at once than may fail, of whom nobody fails, leave nobody refused", async () => {
  const limiter = open();
  const taken = await Promise.all(Array.from({ length: 11 }, () => limiter.take("office")));
  const admitted = taken.filter(({ isLeft }) => isLeft);
  expect(admitted).toHaveLength(10);
  expect(limiter.blockedMs("office")).toBeGreaterThan(0);
  for (const _ of admitted) await limiter.giveBack("office");
  expect(limiter.blockedMs("office")).toBe(0);
  expect(await limiter.take("office")).toMatchObject({ isLeft: true });
});

test("who has none left is refused without the store, until then", async () => {
  const limiter = open();
  for (let tried = 0; tried < 10; tried += 1) expect((await limiter.take("a")).isLeft).toBe(true);
  expect(limiter.blockedMs("a")).toBe(0);
  expect(await limiter.take("a")).toMatchObject({ isLeft: false });
  expect(limiter.blockedMs("a")).toBeGreaterThan(890_000);
  expect(limiter.blockedMs("b")).toBe(0);
});
