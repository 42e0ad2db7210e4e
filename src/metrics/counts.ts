import type { Figures } from "./figures.ts";
import { type Metric, metricList, metrics, type MetricName } from "./metrics.ts";

/** One series: numbers that are counted up in place, since verify has no time for more. */
type Series = Float64Array;

/** What a process counts. */
export interface Counts {
  add(name: MetricName, labels?: string, by?: number): void;
  /** Takes a time into a histogram. */
  observe(name: MetricName, labels: string, seconds: number): void;
  /** Builds what takes times of one series, without looking it up each time. */
  timer(name: MetricName, labels: string): (seconds: number) => void;
  /** Builds what counts one series up. */
  counter(name: MetricName, labels: string): () => void;
  figures(): Figures;
}

export function createCounts(): Counts {
  const all = new Map<MetricName, Map<string, Series>>();
  const seriesOf = (name: MetricName, labels: string): Series => {
    const known = all.get(name) ?? new Map<string, Series>();
    all.set(name, known);
    const { bounds }: Metric = metrics[name];
    // Behind the buckets: what is beyond all of them, and the sum.
    const series = known.get(labels) ?? new Float64Array(bounds === undefined ? 1 : bounds.length + 2);
    known.set(labels, series);
    return series;
  };
  const boundsOf = (name: MetricName): readonly number[] => (metrics[name] as Metric).bounds ?? [];
  const counts: Counts = {
    add(name, labels = "", by = 1) {
      const series = seriesOf(name, labels);
      series[0] = (series[0] ?? 0) + by;
    },
    observe: (name, labels, seconds) => take(seriesOf(name, labels), boundsOf(name), seconds),
    timer(name, labels) {
      const bounds = boundsOf(name);
      let series: Series | undefined;
      // Not there before something was counted: most routes are never asked.
      return (seconds) => take((series ??= seriesOf(name, labels)), bounds, seconds);
    },
    counter(name, labels) {
      const series = seriesOf(name, labels);
      return () => void (series[0] = (series[0] ?? 0) + 1);
    },
    figures: () =>
      Object.fromEntries(
        [...all].map(([name, known]) => [
          name,
          Object.fromEntries([...known].map(([labels, series]) => [labels, [...series]])),
        ]),
      ),
  };
  for (const { name, type, labels, values = [] } of metricList) {
    if (type === "counter") for (const value of values) seriesOf(name, value);
    if (type !== "gauge" && labels.length === 0) seriesOf(name, "");
  }
  return counts;
}

function take(series: Series, bounds: readonly number[], seconds: number): void {
  let at = 0;
  while (at < bounds.length && seconds > (bounds[at] ?? 0)) at += 1;
  series[at] = (series[at] ?? 0) + 1;
  const last = bounds.length + 1;
  series[last] = (series[last] ?? 0) + seconds;
}
