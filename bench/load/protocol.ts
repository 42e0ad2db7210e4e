/** What the load generator's process is told, a JSON line each; it answers each with a `LoadResult` line. */
export interface LoadSpec {
  /** `http://127.0.0.1:port` of the server. */
  readonly url: string;
  /** A file with a JSON array of whole HTTP/1.1 requests; sent in rotation, over all connections together. */
  readonly requests: string;
  readonly connections: number;
  /** When to stop: after a measured time (past an unmeasured one), or after so many requests, all measured. */
  readonly until:
    | { readonly warmUpMs: number; readonly measureMs: number }
    | { readonly requests: number; readonly atMostMs?: number };
  /** Requests a second, spread evenly; without it each connection sends as soon as it has its answer. */
  readonly pace?: number;
  /**
   * Whether they come at random moments instead (a Poisson process), kept by a loop that never sleeps: for a generator
   * that has a core of its own. What comes in turns of a timer would come in batches already.
   */
  readonly isRandom?: boolean;
  /** The statuses that may come, each with its body's length in bytes (null: any). */
  readonly expect: Readonly<Record<string, number | null>>;
  /** The server's process, whose CPU time is taken over the measured time. */
  readonly serverPid: number;
  /** The database server's first process, whose CPU time is taken with that of all it started, those ended included. */
  readonly databasePid?: number;
  /** Whether to give back every latency in the order of the answers. */
  readonly keepLatencies?: boolean;
}

export interface LoadResult {
  /** Within the measured time. */
  readonly answers: number;
  /** With those before and after it. */
  readonly allAnswers: number;
  readonly elapsedMs: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Answers whose status may come but whose body had another length. */
  readonly wrongLengths: number;
  /** Connections that broke. */
  readonly broken: number;
  /** What the first of them broke for. */
  readonly breakReason?: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** µs of CPU over the measured time; null where the system does not say. */
  readonly serverCpuMicros: number | null;
  /** Likewise the database's; null also where the load names none. */
  readonly databaseCpuMicros: number | null;
  readonly generatorCpuMicros: number;
  readonly latenciesMs?: readonly number[];
}

/** What went wrong in a run, for a person; empty when every answer is one that may come. */
export function problemsOf(result: LoadResult, expect: LoadSpec["expect"]): string[] {
  const unexpected = Object.entries(result.statuses).filter(([status]) => !(status in expect));
  return [
    ...unexpected.map(([status, count]) => `${count} answers with status ${status}`),
    ...(result.wrongLengths > 0 ? [`${result.wrongLengths} bodies of an unexpected length`] : []),
    ...(result.broken > 0 ? [`${result.broken} connections broke (${result.breakReason ?? "unknown"})`] : []),
  ];
}
