import { formatCount, formatRange, formatTable, formatValue } from "./format.ts";
import { goals, judge } from "./goals.ts";
import { formatError } from "./scale.ts";
import type { Comparison, Figure, Results, Series } from "./results.ts";
import { median } from "./statistics.ts";

const marks = { goal: "pass", bound: "within bound", short: "SHORT" } as const;

/** Both tables and what went wrong, for a terminal. */
export function renderReport({ series, figures, comparisons, failures }: Results): string {
  return [
    ...(series.length === 0 ? [] : [renderSeries(series)]),
    ...(figures.length === 0 ? [] : [renderFigures(figures)]),
    ...(comparisons.length === 0 ? [] : [renderComparisons(comparisons)]),
    ...failures.map((failure) => `FAILED ${failure}`),
  ].join("\n\n");
}

function renderSeries(series: readonly Series[]): string {
  const head = [
    "workload",
    "target",
    "req/s",
    "CPU µs/req",
    "database's",
    "p50 ms",
    "p99 ms",
    "server busy",
    "generator busy",
  ];
  const rows = series.map(({ workload, target, samples }) => {
    const of = (pick: (sample: (typeof samples)[number]) => number | null) =>
      median(samples.map((sample) => pick(sample) ?? Number.NaN));
    return [
      workload,
      target,
      formatCount(of((sample) => sample.perSecond)),
      formatValue(
        of((sample) => sample.cpuMicros),
        "",
      ),
      formatValue(
        of((sample) => sample.databaseCpuMicros ?? null),
        "",
      ),
      formatValue(
        of((sample) => sample.p50Ms),
        "",
      ),
      formatValue(
        of((sample) => sample.p99Ms),
        "",
      ),
      formatValue(
        of((sample) => sample.serverBusy),
        "",
      ),
      formatValue(
        of((sample) => sample.generatorBusy),
        "",
      ),
    ];
  });
  return formatTable([head, ...rows]);
}

function renderComparisons(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map((one) => [
    `${one.point}${one.isCalibration ? " (calibrates)" : ""}`,
    one.quantity,
    formatValue(one.predicted, one.unit),
    formatValue(one.measured, one.unit),
    formatError(one),
  ]);
  return formatTable([["the model", "quantity", "predicted", "measured", "error"], ...rows]);
}

function renderFigures(figures: readonly Figure[]): string {
  const head = ["figure", "median", "range", "by CPU", "goal", "bound", ""];
  const rows = figures.map((figure) => {
    const goal = goals[figure.id];
    const sign = goal?.atMost === true ? "≤" : "≥";
    return [
      figure.title,
      formatValue(figure.median, figure.unit),
      formatRange(figure),
      figure.byCpu === null ? "" : formatValue(figure.byCpu, "×"),
      goal === undefined ? "" : `${sign} ${formatValue(goal.goal, figure.unit)}`,
      goal === undefined ? "" : `${sign} ${formatValue(goal.bound, figure.unit)}`,
      goal === undefined ? "" : marks[judge(figure.median, goal)],
    ];
  });
  return formatTable([head, ...rows]);
}
