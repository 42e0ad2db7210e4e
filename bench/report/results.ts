import type { PeersReport } from "./peers/measures.ts";
import type { Measured } from "../scale/model.ts";
import { ratios, type Spread, spreadOf } from "./statistics.ts";

/** One run of one target. */
export interface Sample {
  readonly perSecond: number;
  /** CPU time of the server a request, in µs; null where the system does not say. */
  readonly cpuMicros: number | null;
  /** Likewise of its database, where that is a server whose time was taken. */
  readonly databaseCpuMicros?: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Share of the time that the server was computing, over 1 with several threads; null where unknown. */
  readonly serverBusy: number | null;
  /** Likewise the generator's: near 1, the run measured the generator. */
  readonly generatorBusy: number;
}

export interface Series {
  readonly workload: string;
  readonly target: string;
  /** One a round. */
  readonly samples: readonly Sample[];
}

export type Unit = "×" | "/s" | "µs" | "ms" | "MB" | "%" | "";

export interface Figure extends Spread {
  /** Stable; the key of its goal. */
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  /** The same ratio by CPU time of the server a request, which other processes on the machine disturb less. */
  readonly byCpu: number | null;
}

/** What the model of `bench/scale` says of a measured point, beside what was measured. */
export interface Comparison {
  readonly point: string;
  /** Whether the model was calibrated by it: its error then says little. */
  readonly isCalibration: boolean;
  readonly quantity: string;
  readonly unit: Unit;
  readonly predicted: number;
  readonly measured: number;
}

/** What a run has found so far. */
export interface Results {
  readonly series: Series[];
  readonly figures: Figure[];
  readonly comparisons: Comparison[];
  /** What the model was calibrated by and checked against, as measured. */
  readonly points: Measured[];
  /** What went wrong: an answer that may not come, a server that did not start. */
  readonly failures: string[];
  /** Empty unless other products were measured. */
  readonly peers: PeersReport;
}

export function createResults(): Results {
  return {
    series: [],
    figures: [],
    comparisons: [],
    points: [],
    failures: [],
    peers: { measured: [], missing: [] },
  };
}

export interface FigureName {
  readonly id: string;
  readonly title: string;
}

export function addFigure(results: Results, name: FigureName, unit: Unit, values: readonly number[]): void {
  results.figures.push({ ...name, unit, byCpu: null, ...spreadOf(values) });
}

/** How many times as many requests a second `series` answers as `against`. */
export function addRatio(results: Results, name: FigureName, series: Series, against: Series): void {
  const spread = spreadOf(ratios(perSecond(series), perSecond(against)));
  results.figures.push({ ...name, unit: "×", byCpu: cpuRatio(series, against), ...spread });
}

export function addRate(results: Results, name: FigureName, series: Series): void {
  addFigure(results, name, "/s", perSecond(series));
}

function perSecond({ samples }: Series): number[] {
  return samples.map((sample) => sample.perSecond);
}

function cpuRatio(series: Series, against: Series): number | null {
  const cost = ({ samples }: Series) =>
    samples.flatMap(({ cpuMicros }) => (cpuMicros === null || cpuMicros === 0 ? [] : [cpuMicros]));
  const [own, other] = [cost(series), cost(against)];
  return own.length === 0 || own.length !== other.length ? null : spreadOf(ratios(other, own)).median;
}
