import { expect, test } from "bun:test";
import { createLately } from "../src/lately.ts";

test("what was added is known for the time, and for no more than twice that", () => {
  let now = 0;
  const lately = createLately(100, 10, () => now);
  lately.add("a");
  expect([lately.has("a"), lately.has("b")]).toEqual([true, false]);
  now = 150;
  expect(lately.has("a")).toBe(true);
  now = 260;
  expect(lately.has("a")).toBe(false);
  lately.add("c");
  now = 1_000;
  expect(lately.has("c")).toBe(false);
});

test("no more is remembered than twice its number", () => {
  const lately = createLately(100, 10, () => 0);
  for (let at = 0; at < 25; at += 1) lately.add(`k${at}`);
  expect(Array.from({ length: 25 }, (_, at) => at).filter((at) => lately.has(`k${at}`))).toEqual(
    Array.from({ length: 15 }, (_, at) => at + 10),
  );
});
