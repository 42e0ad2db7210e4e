import { describe, expect, test } from "bun:test";
import { renderChart } from "./chart.ts";

const machine = {
  platform: "linux",
  cpu: "A & B <fast>",
  cores: 2,
  memoryGb: 8,
  bun: "1.4.5",
  pinning: "none",
  loadAverage: 0,
  commit: null,
};

function figure(id: string, median: number) {
  return { id, title: id, unit: "×" as const, byCpu: null, median, low: median / 2, high: median * 2 };
}

describe("renderChart", () => {
  test("draws what was measured, whatever the machine is called", () => {
    const svg = renderChart([figure("verify-one-sqlite", 0.8), figure("memory-before", 60)], machine) ?? "";
    expect(svg.match(/<rect /g)).toHaveLength(1);
    expect(svg).toContain(">0.80</text>");
    expect(svg).toContain("A &amp; B &lt;fast&gt;");
  });

  test("keeps ratios over 1 inside the chart", () => {
    const svg = renderChart([figure("verify-one-sqlite", 3)], machine) ?? "";
    const ends = [...svg.matchAll(/ (?:x|x2)="([\d.]+)"/g)].map(([, x]) => Number(x));
    expect(Math.max(...ends)).toBeLessThan(760);
  });

  test("draws nothing without figures", () => {
    expect(renderChart([figure("memory-before", 60)], machine)).toBeUndefined();
  });
});
