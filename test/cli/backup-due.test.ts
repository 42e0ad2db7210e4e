import { describe, expect, test } from "bun:test";
import { backupDue } from "../../src/cli/backup-due.ts";

const now = Date.parse("2026-11-22T12:00:00Z");
const [second, hour, day] = [1_000, 3_600_000, 86_400_000];
const quiet = { now, everyMs: day, newestAt: null, sinceTryMs: null, failuresInARow: 0 };

describe("the next backup is due", () => {
  test("at once where there is none, or when the newest is old enough", () => {
    expect(backupDue(quiet)).toBe(now);
    expect(backupDue({ ...quiet, newestAt: now - hour })).toBe(now + day - hour);
  });

  test("a pause after a try, which failures double up to an hour", () => {
    const after = (failuresInARow: number) =>
      (backupDue({ ...quiet, sinceTryMs: 0, failuresInARow }) - now) / second;
    expect([1, 2, 3, 20].map(after)).toEqual([10, 20, 40, 3_600]);
    expect(backupDue({ ...quiet, sinceTryMs: 15 * second, failuresInARow: 2 })).toBe(now + 5 * second);
  });

  test("no later where the clock was put back by a year since the last, which is from the future then", () => {
    const [before, putBack] = [now, now - 365 * day];
    const tried = { ...quiet, sinceTryMs: hour };
    expect(backupDue({ ...tried, now: before, newestAt: before - hour })).toBe(before + day - hour);
    expect(backupDue({ ...tried, now: putBack })).toBeLessThanOrEqual(putBack);
  });
});
