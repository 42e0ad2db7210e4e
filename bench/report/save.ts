import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MachineFacts } from "../machine/facts.ts";
import type { Options } from "../options.ts";
import { renderChart } from "./chart.ts";
import { renderDocument } from "./document.ts";
import { renderScale } from "./scale.ts";
import { goals, judge } from "./goals.ts";
import { renderPeersChart } from "./peers/bars.ts";
import { renderPeersPage } from "./peers/page.ts";
import type { Results } from "./results.ts";

const directory = join(import.meta.dir, "..", "results");

/**
 * Writes `bench/results/<name>.json`, the figures that have a goal as `<name>.md`, and the chart as `<name>.svg`, the full
 * one's as `chart.svg`; what was found of other products as `peers.md` and `peers.svg`, unless the run has another name.
 * @returns their paths.
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
    peers: results.peers,
  };
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${options.name}.json`);
  writeFileSync(path, `${JSON.stringify(saved, rounded, 1)}\n`);
  return [
    path,
    ...Object.entries(pagesOf(results, machine, options)).map(([name, text]) => save(name, text)),
  ];
}

/** @returns texts by file name. */
function pagesOf(
  results: Results,
  machine: MachineFacts,
  { name, isScale }: Options,
): Record<string, string> {
  if (isScale) return { [`${name}.md`]: renderScale(results, machine, name) };
  const { figures, peers } = results;
  const pages: Record<string, string> = {};
  if (figures.some(({ id }) => id in goals)) pages[`${name}.md`] = renderDocument(figures, machine, name);
  const chart = renderChart(figures, machine);
  if (chart !== undefined) pages[name === "full" ? "chart.svg" : `${name}.svg`] = chart;
  if (peers.measured.length === 0) return pages;
  const peersName = name === "full" || name === "peers" ? "peers" : `${name}-peers`;
  pages[`${peersName}.md`] = renderPeersPage(peers, machine, name);
  const peersChart = renderPeersChart(peers.measured, machine);
  if (peersChart !== undefined) pages[`${peersName}.svg`] = peersChart;
  return pages;
}

/** @returns its path. */
function save(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** Six digits are more than any measurement here holds. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
