import type { Metric as PromMetric } from "prom-client";
import Registry from "prom-client/lib/registry.js";
import type { Figures } from "./figures.ts";
import { metricList } from "./metrics.ts";

interface Sample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export const expositionType = Registry.PROMETHEUS_CONTENT_TYPE;

/** Figures in Prometheus' text format. */
export async function expose(figures: Figures): Promise<string> {
  const registry = new Registry();
  for (const { name, type, help, labels, bounds } of metricList) {
    const samples = Object.entries(figures[name] ?? {}).flatMap(([values, numbers]) => {
      const texts = values.split(",");
      const own = Object.fromEntries(labels.map((label, at) => [label, texts[at] ?? ""]));
      if (bounds === undefined) return [{ labels: own, value: numbers[0] ?? 0 }];
      return histogramSamples(name, own, bounds, numbers);
    });
    // Counted by latchkey itself, so that a request pays next to nothing: only the format is the library's.
    const metric = { name, get: () => Promise.resolve({ name, type, help, values: samples }) };
    if (samples.length > 0) registry.registerMetric(metric as unknown as PromMetric);
  }
  return await registry.metrics();
}

function histogramSamples(
  name: string,
  labels: Readonly<Record<string, string>>,
  bounds: readonly number[],
  numbers: readonly number[],
): readonly Sample[] {
  let count = 0;
  const buckets = [...bounds.map(String), "+Inf"].map((le, at) => {
    count += numbers[at] ?? 0;
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: numbers[bounds.length + 1] ?? 0 },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
