import { expect, test } from "bun:test";
import { renderDocument } from "./document.ts";
import type { Figure } from "./results.ts";

const machine = { bun: "1", cores: 2, cpu: "some", pinning: "none" } as Parameters<typeof renderDocument>[1];
const figure = (id: string, title: string, median: number, unit: Figure["unit"]): Figure => ({
  id,
  title,
  unit,
  median,
  low: median,
  high: median,
  byCpu: null,
});

test("renderDocument has a row for each figure that has a goal, with its goal and its bound", () => {
  const page = renderDocument(
    [
      figure("verify-one-sqlite", "verify, one", 0.754, "×"),
      figure("verify-one-neon", "no goal", 1, "×"),
      figure("verify-commits-sqlite", "  with commits", 0.99, "×"),
      figure("verify-far-rotation-neon", "far", 14_292, "/s"),
    ],
    machine,
    "mine",
  );
  expect(page.split("\n").filter((line) => line.startsWith("| "))).toEqual([
    "| figure | median | goal | bound |",
    "| --- | --- | --- | --- |",
    "| verify, one | 0.75 × | 0.85 × | 0.70 × |",
    "| … with commits | 0.99 × | 0.90 × | 0.80 × |",
    "| far | 14,292/s | 14,000/s | 9,000/s |",
  ]);
  expect(page).toContain("(mine.json)");
});
