import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MachineFacts } from "../machine/facts.ts";
import type { Options } from "../options.ts";
import { renderChart } from "./chart.ts";
import { renderDocument } from "./document.ts";
import { renderScale } from "./scale.ts";
import { goals, judge } from "./goals.ts";
import type { Results } from "./results.ts";

const directory = join(import.meta.dir, "..", "results");

/**
 * Writes `bench/results/<name>.json`, the figures as `<name>.md`, and the chart as `<name>.svg`, the full one's as
 * `chart.svg`. @returns their paths.
 */
export function saveResults(results: Results, machine: MachineFacts, options: Options): string[] {
  const figures = results.figures.map((figure) => {
    const goal = goals[figure.id];
    return goal === undefined ? figure : { ...figure, ...goal, verdict: judge(figure.median, goal) };
  });
  const saved = {
    name: options.name,
    quick: options.quick,
    only: options.only === null ? null : [...options.only],
    at: new Date().toISOString(),
    machine,
    figures,
    series: results.series,
    ...(results.comparisons.length === 0 ? {} : { comparisons: results.comparisons, points: results.points }),
    failures: results.failures,
  };
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${options.name}.json`);
  writeFileSync(path, `${JSON.stringify(saved, rounded, 1)}\n`);
  const documentPath = join(directory, `${options.name}.md`);
  const document = options.isScale
    ? renderScale(results, machine, options.name)
    : renderDocument(results.figures, machine, options.name);
  writeFileSync(documentPath, document);
  if (options.isScale) return [path, documentPath];
  const chart = renderChart(results.figures, machine);
  if (chart === undefined) return [path, documentPath];
  const chartPath = join(directory, options.name === "full" ? "chart.svg" : `${options.name}.svg`);
  writeFileSync(chartPath, chart);
  return [path, documentPath, chartPath];
}

/** Six digits are more than any measurement here holds. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
