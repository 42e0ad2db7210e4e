import type { Bench } from "../bench.ts";
import type { Generator } from "../load/client.ts";
import { type LoadResult, type LoadSpec, problemsOf } from "../load/protocol.ts";
import type { RequestParts } from "../load/requests.ts";
import type { Sample, Series } from "../report/results.ts";
import { ask } from "../targets/bare.ts";
import type { Target } from "../targets/target.ts";

/** A set of like requests: every one of them gets an answer of the same status and length. */
export interface RequestSet {
  /** As `writeRequests` made it. */
  readonly file: string;
  readonly first: RequestParts;
  readonly status: number;
}

/** Something whose server is working while the load runs; stopped after it. */
export type Disturbance = () => Promise<{ readonly stop: () => Promise<void> }>;

/** One of those that take turns. */
export interface Entrant {
  /** How it is called in the results; its target's name by default. */
  readonly label?: string;
  readonly target: Target;
  readonly requests: RequestSet;
  readonly connections: number;
  readonly disturbance?: Disturbance;
  /** Default: the one status and body length that a first request gets. */
  readonly expect?: LoadSpec["expect"];
}

export interface Duration {
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/**
 * Runs A B C, A B C, … so that whatever the machine does meanwhile falls on all alike; a first, shorter round is thrown away.
 * @returns a series an entrant, in their order. @throws when an answer comes that may not come.
 */
export async function interleave(
  bench: Bench,
  workload: string,
  entrants: readonly Entrant[],
  duration: Duration = bench.scale,
): Promise<Series[]> {
  const runners = await Promise.all(
    entrants.map(async (entrant) => ({ entrant, load: await loadOf(entrant), samples: [] as Sample[] })),
  );
  const warmUp = { warmUpMs: 0, measureMs: duration.warmUpMs * 3 };
  for (const { entrant, load } of runners) {
    await runOnce(bench.generator, `${workload}, ${nameOf(entrant)}`, { ...load, until: warmUp });
  }
  const until = { warmUpMs: duration.warmUpMs, measureMs: duration.measureMs };
  for (let round = 0; round < bench.scale.rounds; round += 1) {
    for (const { entrant, load, samples } of runners) {
      const disturbance = await entrant.disturbance?.();
      try {
        const result = await runOnce(bench.generator, `${workload}, ${nameOf(entrant)}`, { ...load, until });
        samples.push(sampleOf(result));
      } finally {
        await disturbance?.stop();
      }
    }
  }
  const series = runners.map(({ entrant, samples }) => ({ workload, target: nameOf(entrant), samples }));
  bench.results.series.push(...series);
  return series;
}

function nameOf({ label, target }: Entrant): string {
  return label ?? target.name;
}

async function loadOf({ target, requests, connections, expect }: Entrant): Promise<Omit<LoadSpec, "until">> {
  return {
    url: target.url,
    serverPid: target.pid,
    requests: requests.file,
    connections,
    expect: expect ?? (await expectedOf(target, requests)),
  };
}

/** What every request of the set will be answered with. @throws when it is not what the set is about. */
export async function expectedOf(target: Target, { first, status }: RequestSet): Promise<LoadSpec["expect"]> {
  const answer = await ask(target.url, first);
  if (answer.status !== status || answer.body === "null")
    throw new Error(`${target.name} answers ${first.path} with ${answer.status} ${answer.body}`);
  return { [status]: Buffer.byteLength(answer.body) };
}

/** @throws when an answer came that may not come. */
export async function runOnce(generator: Generator, what: string, load: LoadSpec): Promise<LoadResult> {
  const result = await generator.run(load);
  const problems = problemsOf(result, load.expect);
  if (problems.length > 0) throw new Error(`${what}: ${problems.join("; ")}`);
  return result;
}

export function sampleOf(result: LoadResult): Sample {
  const { answers, elapsedMs, serverCpuMicros, generatorCpuMicros, p50Ms, p99Ms } = result;
  const elapsedMicros = elapsedMs * 1000;
  return {
    perSecond: (answers / elapsedMs) * 1000,
    cpuMicros: serverCpuMicros === null ? null : serverCpuMicros / answers,
    p50Ms,
    p99Ms,
    serverBusy: serverCpuMicros === null ? null : serverCpuMicros / elapsedMicros,
    generatorBusy: generatorCpuMicros / elapsedMicros,
  };
}
