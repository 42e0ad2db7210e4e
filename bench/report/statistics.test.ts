import { describe, expect, test } from "bun:test";
import { goals, judge } from "./goals.ts";
import { chanceBelow, ratios, spreadOf } from "./statistics.ts";

describe("spreadOf", () => {
  test.each([
    [[3], { median: 3, low: 3, high: 3 }],
    [[4, 1], { median: 2.5, low: 1, high: 4 }],
    [[10, 9, 2], { median: 9, low: 2, high: 10 }],
  ])("of %j is %j", (values, spread) => {
    expect(spreadOf(values)).toEqual(spread);
  });

  test("refuses an empty list", () => {
    expect(() => spreadOf([])).toThrow("nothing was measured");
  });
});

describe("ratios", () => {
  test("divides round by round", () => {
    expect(ratios([1, 9], [2, 3])).toEqual([0.5, 3]);
  });
});

describe("chanceBelow", () => {
  test.each([
    [[1, 2], [3, 4], 1],
    [[3, 4], [1, 2], 0],
    [[1, 2], [1, 2], 0.5],
  ])("of %j against %j is %j", (left, right, chance) => {
    expect(chanceBelow(left, right)).toBe(chance);
  });
});

describe("judge", () => {
  test.each([
    [0.85, "goal"],
    [0.84, "bound"],
    [0.69, "short"],
  ] as const)("marks a ratio of %p with %p", (value, verdict) => {
    expect(judge(value, goals["verify-one-sqlite"] ?? { goal: 0, bound: 0, atMost: false })).toBe(verdict);
  });

  test("takes less for better where a figure is a cost", () => {
    expect([59, 61, 81].map((mb) => judge(mb, { goal: 60, bound: 80, atMost: true }))).toEqual([
      "goal",
      "bound",
      "short",
    ]);
  });
});
