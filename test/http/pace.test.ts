import { expect, test } from "bun:test";
import { createPace } from "../../src/http/pace.ts";

test("S67: of many refusals a second, all but the first hundred are told a second after they were asked for", async () => {
  let now = 10_000;
  const slept: number[] = [];
  const pace = createPace(
    () => now,
    async (ms) => void slept.push(ms),
  );
  for (let at = 0; at < 100; at += 1) await pace(now);
  expect(slept).toEqual([]);
  await pace(now);
  await pace(now - 400);
  // Who has waited in the line has waited enough.
  await pace(now - 4_000);
  expect(slept).toEqual([1_000, 600, 0]);
  // In the next second there are a hundred again.
  now += 1_000;
  for (let at = 0; at < 100; at += 1) await pace(now);
  expect(slept).toHaveLength(3);
});
