import { expect, test } from "bun:test";
import { createPace } from "../../src/http/pace.ts";

test("S67: of many refusals a second, all but the first fifty are told a second or two after they were asked for", async () => {
  let now = 10_000;
  const slept: number[] = [];
  const pace = createPace(
    () => now,
    async (ms) => void slept.push(ms),
  );
  for (let at = 0; at < 50; at += 1) await pace(now);
  expect(slept).toEqual([]);
  for (let at = 0; at < 200; at += 1) await pace(now);
  expect(Math.min(...slept)).toBeGreaterThanOrEqual(1_000);
  expect(Math.max(...slept)).toBeLessThanOrEqual(2_000);
  // Not at one moment.
  expect(new Set(slept.map((ms) => Math.floor(ms / 100))).size).toBeGreaterThan(5);
  // Who has waited in the line has waited enough.
  slept.length = 0;
  await pace(now - 4_000);
  expect(slept).toEqual([0]);
  // In the next second there are fifty again.
  now += 1_000;
  for (let at = 0; at < 50; at += 1) await pace(now);
  expect(slept).toEqual([0]);
});
