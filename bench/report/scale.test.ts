import { describe, expect, test } from "bun:test";
import { addFigure, type Comparison, createResults } from "./results.ts";
import { formatError, renderScale } from "./scale.ts";

const machine = { bun: "1", cores: 2, cpu: "some", pinning: "none" } as Parameters<typeof renderScale>[1];
const comparison: Comparison = {
  point: "2 processes",
  isCalibration: false,
  quantity: "p99",
  unit: "ms",
  predicted: 9,
  measured: 10,
};

describe("renderScale", () => {
  test("has a row for each figure and for each quantity of a point, with the model's error", () => {
    const results = createResults();
    addFigure(results, { id: "scale-sweep", title: "sweep" }, "ms", [2, 1, 3]);
    results.comparisons.push(comparison, { ...comparison, isCalibration: true, measured: Number.NaN });
    const page = renderScale(results, machine, "mine");
    expect(page.split("\n").filter((line) => line.startsWith("| "))).toEqual([
      "| figure | median | range |",
      "| --- | --- | --- |",
      "| sweep | 2.00 ms | 1.00–3.00 |",
      "| point |  | quantity | model | measured | error |",
      "| --- | --- | --- | --- | --- | --- |",
      "| 2 processes | checks | p99 | 9.00 ms | 10.0 ms | −10 % |",
      "| 2 processes | calibrates | p99 | 9.00 ms | – | – |",
    ]);
  });
});

describe("formatError", () => {
  test("is positive where the model says too much", () => {
    expect(formatError({ predicted: 15, measured: 10 })).toBe("+50 %");
  });
});
