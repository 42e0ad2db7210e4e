import { type Metric, metrics, type MetricName } from "./metrics.ts";

/**
 * What was counted, fit to be sent as JSON: by metric and by the values of its labels, joined by commas. One number, or of a histogram
 * how many fell into each bucket, the last beyond all bounds, and the sum of all.
 */
export type Figures = Readonly<Partial<Record<MetricName, Readonly<Record<string, readonly number[]>>>>>;

/** Adds up what several have counted; of processes of one name, of which one replaces another, the last counts. */
export function sumOf(all: readonly Figures[]): Figures {
  const sum: Partial<Record<MetricName, Record<string, readonly number[]>>> = {};
  for (const figures of all)
    for (const [name, series] of Object.entries(figures) as [
      MetricName,
      Record<string, readonly number[]>,
    ][]) {
      const known = (sum[name] ??= {});
      const { ofProcess }: Metric = metrics[name];
      for (const [labels, values] of Object.entries(series)) {
        const before = known[labels];
        const isFirst = before === undefined || ofProcess === true;
        known[labels] = isFirst ? values : values.map((value, at) => value + (before[at] ?? 0));
      }
    }
  return sum;
}

/** What of a process's figures counts after its end: without it sums would sink, which reads as a start from 0. */
export function lasting(figures: Figures): Figures {
  const kept = Object.entries(figures).filter(([name]) => {
    const { type, ofProcess }: Metric = metrics[name as MetricName];
    return type !== "gauge" && ofProcess !== true;
  });
  return Object.fromEntries(kept);
}
