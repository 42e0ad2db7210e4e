import { SQL } from "bun";
import type { Bench } from "../bench.ts";
import type { LoadSpec } from "../load/protocol.ts";
import { median } from "../report/statistics.ts";
import type { Target } from "../targets/target.ts";
import { loadSpec, runChecked } from "../workloads/interleave.ts";
import type { Measured, Setting } from "./model.ts";
import { spreadRequests, type Store } from "./stores.ts";

/** How verify is asked on PostgreSQL, and what for. */
export interface Point {
  readonly isCalibration: boolean;
  readonly workers: number;
  /** null: 256 connections that never rest. */
  readonly perSecond: number | null;
  readonly roundTripMs: number;
}

/**
 * Those that calibrate have one process, at both ends of what batches can be; those that check lie between them, have
 * more processes, or hardly anything to do. Paced ones leave the core that latchkey and PostgreSQL share something to rest.
 */
export const points: readonly Point[] = [
  { isCalibration: true, workers: 1, perSecond: 1_000, roundTripMs: 0 },
  { isCalibration: true, workers: 1, perSecond: 1_000, roundTripMs: 10 },
  { isCalibration: true, workers: 1, perSecond: 8_000, roundTripMs: 10 },
  { isCalibration: true, workers: 1, perSecond: null, roundTripMs: 0 },
  { isCalibration: false, workers: 1, perSecond: 200, roundTripMs: 0 },
  { isCalibration: false, workers: 1, perSecond: 2_000, roundTripMs: 0 },
  { isCalibration: false, workers: 2, perSecond: 2_000, roundTripMs: 0 },
  { isCalibration: false, workers: 4, perSecond: 2_000, roundTripMs: 0 },
  { isCalibration: false, workers: 1, perSecond: 6_000, roundTripMs: 2 },
  { isCalibration: false, workers: 2, perSecond: 6_000, roundTripMs: 10 },
  { isCalibration: false, workers: 4, perSecond: 6_000, roundTripMs: 10 },
];

const connections = 256;
/** Reach every worker: each connection goes to one of them by chance. One by one, they are a statement each. */
const pokes = 32;
const pokesPerSecond = 200;
/** PostgreSQL writes what a connection did into its statistics with the first statement a second later. */
const settleMs = 1_100;

export function nameOf({ workers, perSecond, roundTripMs }: Point): string {
  const load = perSecond === null ? "never resting" : `${perSecond.toLocaleString("en-US")}/s`;
  const processes = `${workers} process${workers === 1 ? "" : "es"}`;
  return `${processes}, ${load}, ${roundTripMs === 0 ? "on the same machine" : `${roundTripMs} ms away`}`;
}

/** Runs all points in turn, round by round. @returns each point's medians; `p99` is NaN where nothing rested. */
export async function measurePoints(
  bench: Bench,
  store: Store,
  targetOf: (point: Point) => Promise<{ readonly target: Target; readonly roundTripMs: number }>,
): Promise<Map<Point, Measured>> {
  const count = await openStatementCount(store);
  const requests = spreadRequests("/api/auth/verify", store.population);
  const runs = new Map<Point, Measured[]>(points.map((point) => [point, []]));
  try {
    for (let round = 0; round < Math.min(3, bench.scale.rounds); round += 1) {
      for (const point of points) {
        bench.tell(`scale, postgres, verify, ${nameOf(point)}`);
        const { target, roundTripMs } = await targetOf(point);
        const load = await loadSpec({ target, requests, connections });
        if (round === 0) await runChecked(bench.generator, "filling caches", primed(load, bench));
        runs.get(point)?.push(await measureOne(bench, store, point, load, roundTripMs, count.read));
      }
    }
  } finally {
    await count.close();
  }
  return new Map([...runs].map(([point, all]) => [point, medianOf(all)]));
}

function primed(load: Omit<LoadSpec, "until">, { options }: Bench): LoadSpec {
  return { ...load, until: { requests: options.quick ? 2_000 : 50_000 } };
}

async function measureOne(
  { generator, scale, cores }: Bench,
  { server }: Store,
  { workers, perSecond }: Point,
  load: Omit<LoadSpec, "until">,
  roundTripMs: number,
  statements: () => Promise<number>,
): Promise<Measured> {
  const settled = async () => {
    await Bun.sleep(settleMs);
    const poke = { connections: pokes, pace: pokesPerSecond, until: { requests: pokes } };
    await runChecked(generator, "settling", { ...load, ...poke });
    return await statements();
  };
  const before = await settled();
  const result = await runChecked(generator, "verify", {
    ...load,
    ...(perSecond === null ? {} : { pace: perSecond, isRandom: true }),
    ...(server === null ? {} : { databasePid: server.pid }),
    until: { warmUpMs: scale.warmUpMs, measureMs: 2 * scale.measureMs },
  });
  const after = await settled();
  const setting: Setting = {
    perSecond: (result.answers / result.elapsedMs) * 1000,
    processes: workers,
    roundTrip: roundTripMs * 1000,
    cores: { shared: cores === null ? navigator.hardwareConcurrency : Math.max(1, cores.count - 1) },
  };
  return {
    setting,
    batchSize: result.allAnswers / (after - before - pokes),
    latchkey: (result.serverCpuMicros ?? Number.NaN) / result.answers,
    database: (result.databaseCpuMicros ?? Number.NaN) / result.answers,
    p99: perSecond === null ? Number.NaN : result.p99Ms * 1000,
  };
}

function medianOf(all: readonly Measured[]): Measured {
  const [first] = all;
  if (first === undefined) throw new Error("nothing was measured");
  const of = (pick: (one: Measured) => number) => median(all.map(pick));
  return {
    setting: { ...first.setting, perSecond: of(({ setting }) => setting.perSecond) },
    batchSize: of(({ batchSize }) => batchSize),
    latchkey: of(({ latchkey }) => latchkey),
    database: of(({ database }) => database),
    p99: of(({ p99 }) => p99),
  };
}

/** Counts the database's transactions, of which each look-up's statement is one, on a connection to another database. */
async function openStatementCount({ database, server }: Store) {
  if (server === null) throw new Error("SQLite has no statements to count");
  const name = new URL(database.url).pathname.slice(1);
  const sql = new SQL(server.url("postgres"), { max: 1 });
  return {
    async read(): Promise<number> {
      const [row]: { made: string }[] =
        await sql`SELECT xact_commit AS made FROM pg_stat_database WHERE datname = ${name}`;
      return Number(row?.made);
    },
    close: () => sql.close(),
  };
}

/** What a statement that does nothing takes, in ms. */
export async function pingMs(url: string): Promise<number> {
  const sql = new SQL(url, { max: 1 });
  try {
    const taken: number[] = [];
    for (let time = 0; time < 50; time += 1) {
      const startedAt = performance.now();
      await sql.unsafe("SELECT 1");
      taken.push(performance.now() - startedAt);
    }
    return median(taken);
  } finally {
    await sql.close();
  }
}
