import { describe, expect, test } from "bun:test";
import { renderPeersChart } from "./bars.ts";
import type { Measure, PeerMeasures } from "./measures.ts";
import { renderPeersPage } from "./page.ts";

const machine = {
  platform: "linux",
  cpu: "some",
  cores: 2,
  memoryGb: 8,
  bun: "1",
  pinning: "none",
  loadAverage: 0,
  commit: null,
};

function peer(
  name: string,
  database: PeerMeasures["database"],
  medians: Partial<Record<Measure, number>>,
): PeerMeasures {
  const values = Object.fromEntries(
    Object.entries(medians).map(([measure, median]) => [measure, { median, low: median, high: median }]),
  );
  return { id: `${name}-${database}`, name, version: "1", database, asked: "GET /me", limits: "off", values };
}

const measured = [
  peer("latchkey", "sqlite", { verifyCpu: 10, start: 70 }),
  peer("Other", "sqlite", { verifyCpu: 250, start: 20 }),
  peer("latchkey", "postgres", { verifyCpu: 20, verifyDatabaseCpu: 20 }),
  peer("Other", "postgres", { verifyCpu: 500, verifyDatabaseCpu: 100 }),
];

describe("renderPeersPage", () => {
  const missing = [{ name: "Absent, PostgreSQL (2)", reason: "there is no go\nin PATH" }];
  const page = renderPeersPage({ measured, missing }, machine, "mine");
  const lines = page.split("\n");

  test("names where another is ahead before anything else", () => {
    const [first] = lines.filter((line) => line.startsWith("## "));
    expect(first).toBe("## Where another is ahead of latchkey on the same database");
    expect(lines).toContain(
      "* **start to the first healthy answer**: Other 20.0 ms; latchkey, SQLite 70.0 ms.",
    );
  });

  test("says who is missing and why, on one line", () => {
    expect(lines).toContain("* Absent, PostgreSQL (2): there is no go in PATH");
  });

  test("compares server and database together with latchkey on the same database", () => {
    const rows = lines
      .filter((line) => / × \|/.test(line))
      .map((line) => line.split(" | ").slice(0, 4).join(" | "));
    expect(rows).toEqual([
      "| latchkey, SQLite | 10.0 µs | – | 1.00 ×",
      "| Other, SQLite | 250 µs | – | 25.0 ×",
      "| latchkey, PostgreSQL | 20.0 µs | 20.0 µs | 1.00 ×",
      "| Other, PostgreSQL | 500 µs | 100 µs | 15.0 ×",
    ]);
  });

  test("has as many cells in each line of a table as in its head", () => {
    const tables = page
      .trim()
      .split("\n\n")
      .filter((block) => block.startsWith("| "));
    const widths = tables.map(
      (table) => new Set(table.split("\n").map((line) => line.split(" | ").length)).size,
    );
    expect(widths).toEqual([1, 1, 1, 1]);
  });
});

describe("renderPeersChart", () => {
  test("draws a bar a server and one a database, none past the edge", () => {
    const svg = renderPeersChart(measured, machine) ?? "";
    const bars = [...svg.matchAll(/<rect class="([^"]+)" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/g)];
    expect(bars.map(([, kind]) => kind)).toEqual([
      "latchkey",
      "stock",
      "latchkey",
      "latchkey database",
      "stock",
      "stock database",
    ]);
    expect(Math.max(...bars.map(([, , x, width]) => Number(x) + Number(width)))).toBeLessThan(760);
  });

  test("draws nothing where nobody was measured", () => {
    expect(renderPeersChart([peer("Other", "sqlite", { start: 1 })], machine)).toBeUndefined();
  });
});
