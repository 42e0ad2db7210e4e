import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { withDeadline } from "../src/deadline.ts";

const late = new Error("late");
const expired = () => late;
const outcome = <T>(work: Promise<T>) => work.catch((error: unknown) => error);

describe("withDeadline", () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test("settles as the work does, and leaves no timer", async () => {
    const failure = new Error("failed");
    expect(await outcome(withDeadline(Promise.resolve(7), 100, expired))).toBe(7);
    expect(await outcome(withDeadline(Promise.reject(failure), 100, expired))).toBe(failure);
    await Promise.resolve();
    expect(jest.getTimerCount()).toBe(0);
  });

  test("rejects once the time is over, not before", async () => {
    const waiting = outcome(withDeadline(new Promise(() => {}), 100, expired));
    jest.advanceTimersByTime(99);
    expect(await Promise.race([waiting, Promise.resolve("waiting")])).toBe("waiting");
    jest.advanceTimersByTime(1);
    expect(await waiting).toBe(late);
  });

  test("asks for the error only when it is needed", async () => {
    let asked = 0;
    const count = () => {
      asked += 1;
      return late;
    };
    await withDeadline(Promise.resolve(), 100, count);
    await Promise.resolve();
    jest.advanceTimersByTime(1_000);
    expect(asked).toBe(0);
  });

  test("S88: does not turn work that fails afterwards into an unhandled rejection", async () => {
    const work = Promise.withResolvers<never>();
    const waiting = outcome(withDeadline(work.promise, 100, expired));
    jest.advanceTimersByTime(100);
    expect(await waiting).toBe(late);
    const unhandled: unknown[] = [];
    const hear = (reason: unknown) => void unhandled.push(reason);
    process.on("unhandledRejection", hear);
    work.reject(new Error("afterwards"));
    jest.useRealTimers();
    await Bun.sleep(5);
    process.off("unhandledRejection", hear);
    expect(unhandled).toEqual([]);
  });
});
