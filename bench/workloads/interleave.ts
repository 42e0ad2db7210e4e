import type { Bench } from "../bench.ts";
import type { Generator } from "../load/client.ts";
import { type LoadResult, type LoadSpec, problemsOf } from "../load/protocol.ts";
import type { RequestSet } from "../load/requests.ts";
import type { Sample, Series } from "../report/results.ts";
import { ask } from "../targets/bare.ts";
import type { Target } from "../targets/target.ts";

/** One of those that take turns. */
export interface Runner {
  readonly name: string;
  readonly run: (duration: Duration) => Promise<Sample>;
  /** Comes before all rounds: fills caches. */
  readonly prime?: () => Promise<unknown>;
}

export interface Duration {
  /** Under load, but not measured. */
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Whether a slow server need not have answered within that time. */
  readonly mayBeSilent?: true;
}

/**
 * Runs A B C, A B C, … so that whatever the machine does meanwhile falls on all alike; a first round is thrown away.
 * @returns a series a runner, in their order, which are also in the bench's results.
 */
export async function interleave(
  bench: Bench,
  workload: string,
  runners: readonly Runner[],
  { warmUpMs, measureMs }: Duration = bench.scale,
): Promise<Series[]> {
  const series = runners.map(({ name }) => ({ workload, target: name, samples: [] as Sample[] }));
  for (const { prime } of runners) await prime?.();
  for (const { run } of runners) await run({ warmUpMs: 0, measureMs: measureMs / 2, mayBeSilent: true });
  for (let round = 0; round < bench.scale.rounds; round += 1) {
    for (const [index, { run }] of runners.entries()) {
      series[index]?.samples.push(await run({ warmUpMs, measureMs }));
    }
  }
  bench.results.series.push(...series);
  return series;
}

/** Something that goes on while the load runs. */
export type Disturbance = () => Promise<{ readonly stop: () => Promise<void> }>;

export interface Load {
  /** How it is called in the results; its target's name by default. */
  readonly name?: string;
  readonly target: Target;
  readonly requests: RequestSet;
  readonly connections: number;
  readonly disturbance?: Disturbance;
  /** The process that started all of its database server's, to take their CPU time too. */
  readonly databasePid?: number;
  /** How many requests to send before all rounds, for targets that cache. */
  readonly prime?: number;
}

/** @throws when an answer comes, now or later, that may not come. */
async function loadRunner(generator: Generator, load: Load): Promise<Runner> {
  const { target, requests, disturbance } = load;
  const name = load.name ?? target.name;
  const spec = await loadSpec(load);
  const what = `${name}, ${requests.first.path}`;
  const { prime = 0 } = load;
  return {
    name,
    async prime() {
      if (prime > 0) await runChecked(generator, what, { ...spec, until: { requests: prime } });
    },
    async run(until) {
      const disturbing = await disturbance?.();
      try {
        return sampleOf(await runChecked(generator, what, { ...spec, until }));
      } finally {
        await disturbing?.stop();
      }
    },
  };
}

export async function loadRunners(bench: Bench, loads: readonly Load[]): Promise<Runner[]> {
  return await Promise.all(loads.map((load) => loadRunner(bench.generator, load)));
}

/** What to send where; the length that bodies must have comes from a first answer where they are all alike. */
export async function loadSpec({
  target,
  requests,
  connections,
  databasePid,
}: Pick<Load, "target" | "requests" | "connections" | "databasePid">): Promise<Omit<LoadSpec, "until">> {
  const { url, pid } = target;
  const expect = requests.mayAnswer ?? (await expectedOf(target, requests));
  const database = databasePid === undefined ? {} : { databasePid };
  return { url, serverPid: pid, ...database, requests: requests.file, connections, expect };
}

/** @throws when the first answer is not what the set is about. */
async function expectedOf(target: Target, { first, status }: RequestSet): Promise<LoadSpec["expect"]> {
  const answer = await ask(target.url, first);
  if (answer.status !== status || answer.body === "null")
    throw new Error(`${target.name} answers ${first.path} with ${answer.status} ${answer.body}`);
  return { [status]: Buffer.byteLength(answer.body) };
}

/** @throws when an answer came that may not come. */
export async function runChecked(generator: Generator, what: string, load: LoadSpec): Promise<LoadResult> {
  const result = await generator.run(load);
  const problems = problemsOf(result, load.expect);
  const silent = result.answers === 0 && !("mayBeSilent" in load.until);
  if (silent) problems.push("no answer at all");
  if (problems.length > 0) throw new Error(`${what}: ${problems.join("; ")}`);
  return result;
}

export function sampleOf(result: LoadResult): Sample {
  const { answers, elapsedMs, serverCpuMicros, databaseCpuMicros, generatorCpuMicros, p50Ms, p99Ms } = result;
  const elapsedMicros = elapsedMs * 1000;
  return {
    perSecond: (answers / elapsedMs) * 1000,
    cpuMicros: serverCpuMicros === null ? null : serverCpuMicros / answers,
    ...(databaseCpuMicros === null ? {} : { databaseCpuMicros: databaseCpuMicros / answers }),
    p50Ms,
    p99Ms,
    serverBusy: serverCpuMicros === null ? null : serverCpuMicros / elapsedMicros,
    generatorBusy: generatorCpuMicros / elapsedMicros,
  };
}
