import type { Executables } from "./build.ts";
import type { Generator } from "./load/client.ts";
import type { Cores } from "./machine/cores.ts";
import type { Options, Scale } from "./options.ts";
import type { Results } from "./report/results.ts";

/** What every workload works with. */
export interface Bench {
  readonly options: Options;
  readonly scale: Scale;
  readonly cores: Cores | null;
  readonly executables: Executables;
  readonly generator: Generator;
  readonly results: Results;
  /** Tells the person who waits what is being measured. */
  readonly tell: (text: string) => void;
}

/** What `--only` names. */
export interface Workload {
  readonly name: string;
  /** Whether it only runs when it is asked for by name. */
  readonly onDemand?: true;
  readonly run: (bench: Bench) => Promise<void>;
}

/** Runs one part; what goes wrong in it is recorded, said, and does not keep the other parts from running. */
export async function attempt(bench: Bench, part: string, run: () => Promise<void>): Promise<void> {
  bench.tell(part);
  try {
    await run();
  } catch (error) {
    const failure = `${part}: ${error instanceof Error ? error.message : String(error)}`;
    bench.results.failures.push(failure);
    bench.tell(`FAILED ${failure}`);
  }
}

/** Closes what was opened, the last first, whatever became of the work in between. */
export async function withOpened<T>(
  work: (opened: <R>(resource: R, close: (resource: R) => Promise<void>) => R) => Promise<T>,
): Promise<T> {
  const closers: (() => Promise<void>)[] = [];
  try {
    return await work((resource, close) => {
      closers.push(() => close(resource));
      return resource;
    });
  } finally {
    for (const close of closers.toReversed()) await close();
  }
}
