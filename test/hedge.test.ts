import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { hedge } from "../src/hedge.ts";

/** Tries that the test settles by hand. */
function tries() {
  const made: PromiseWithResolvers<void>[] = [];
  const next = () => {
    const one = Promise.withResolvers<void>();
    made.push(one);
    return one.promise;
  };
  return { made, next };
}

const outcome = (work: Promise<void>) =>
  work.then(
    () => "resolved",
    (error: unknown) => (error instanceof Error ? error.message : "?"),
  );

describe("hedge", () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test("tries once where that settles in time, and leaves no timer", async () => {
    for (const isWell of [true, false]) {
      const { made, next } = tries();
      const { settled } = hedge(next(), 100, next);
      if (isWell) made[0]?.resolve();
      else made[0]?.reject(new Error("refused"));
      expect(await outcome(settled)).toBe(isWell ? "resolved" : "refused");
      jest.advanceTimersByTime(1_000);
      expect(made).toHaveLength(1);
      expect(jest.getTimerCount()).toBe(0);
    }
  });

  test("tries again beside what hangs, and takes the first that succeeds", async () => {
    const { made, next } = tries();
    const { settled } = hedge(next(), 100, next);
    jest.advanceTimersByTime(99);
    expect(made).toHaveLength(1);
    jest.advanceTimersByTime(201);
    expect(made).toHaveLength(4);
    made[1]?.reject(new Error("refused"));
    made[2]?.resolve();
    expect(await outcome(settled)).toBe("resolved");
    jest.advanceTimersByTime(1_000);
    expect(made).toHaveLength(4);
  });

  test("fails once all that were begun have, as the last did", async () => {
    const { made, next } = tries();
    const { settled } = hedge(next(), 100, next);
    jest.advanceTimersByTime(100);
    made[1]?.reject(new Error("second"));
    made[0]?.reject(new Error("first"));
    expect(await outcome(settled)).toBe("first");
  });

  test("is over where there is nothing more to try for, and when it is stopped", async () => {
    const { made, next } = tries();
    const { settled } = hedge(next(), 100, () => null);
    jest.advanceTimersByTime(100);
    expect(await outcome(settled)).toBe("resolved");
    const { stop } = hedge(next(), 100, next);
    stop();
    jest.advanceTimersByTime(1_000);
    expect(made).toHaveLength(2);
  });
});
