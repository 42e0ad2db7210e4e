import { type Bench, withOpened } from "../bench.ts";
import { addFigure } from "../report/results.ts";
import { behindNetwork } from "../targets/databases.ts";
import { startLatchkey } from "../targets/latchkey.ts";
import type { Target } from "../targets/target.ts";
import { interleave, loadRunners } from "../workloads/interleave.ts";
import { calibrate, type Constants, costsAt, type Measured, predict, sizeFor } from "./model.ts";
import { measurePoints, nameOf, pingMs, type Point, points } from "./points.ts";
import { spreadRequests, type Store } from "./stores.ts";

const workerCounts = [1, 2, 4] as const;
/** The load is as much as the generator makes: what counts is CPU a request. */
const connections = 64;

/** Verify by 1, 2 and 4 processes on one SQLite file: the same thousand sessions again and again, and ever others. */
export async function verifySqlite(bench: Bench, { database, population }: Store): Promise<void> {
  await withOpened(async (opened) => {
    const kinds = [
      { id: "few", title: "1,000 sessions in turn", requests: 1_000 },
      { id: "many", title: "100,000 in turn", requests: 100_000 },
    ];
    for (const { id, title, requests } of kinds) {
      const set = spreadRequests("/api/auth/verify", population, requests);
      const targets = await Promise.all(
        workerCounts.map(async (count) => {
          const env = { LATCHKEY_WORKERS: String(count) };
          const target = opened(await startLatchkey({ ...bench, database, env }), (it) => it.stop());
          return { ...target, name: `${target.name}, ${processes(count)}` };
        }),
      );
      const loads = targets.map((target) => ({
        target,
        requests: set,
        connections,
        prime: 20_000,
      }));
      const series = await interleave(bench, `scale, sqlite, ${title}`, await loadRunners(bench, loads));
      for (const [index, { samples }] of series.entries()) {
        const count = workerCounts[index] ?? 1;
        const name = `verify-sqlite-${id}-${count}`;
        const what = `verify, sqlite, ${title}, ${processes(count)}: CPU of latchkey a request`;
        addFigure(bench.results, { id: `scale-${name}`, title: what }, "µs", samples.map(cpuOf));
      }
    }
  });
}

const processes = (count: number) => `${count} process${count === 1 ? "" : "es"}`;
const cpuOf = ({ cpuMicros }: { readonly cpuMicros: number | null }) => cpuMicros ?? Number.NaN;

/** Verify on PostgreSQL at every point, and the model beside it. */
export async function verifyPostgres(bench: Bench, store: Store): Promise<void> {
  await withOpened(async (opened) => {
    const direct = await pingMs(store.database.url);
    const started = new Map<string, { readonly target: Target; readonly roundTripMs: number }>();
    const targetOf = async ({ workers, roundTripMs }: Point) => {
      const key = `${workers} ${roundTripMs}`;
      const known = started.get(key);
      if (known !== undefined) return known;
      const database =
        roundTripMs === 0
          ? store.database
          : opened(await behindNetwork(store.database, roundTripMs), (it) => it.close());
      const env = { LATCHKEY_WORKERS: String(workers) };
      const target = opened(await startLatchkey({ ...bench, database, env }), (it) => it.stop());
      // What the relay really takes: its timers are later than they are set.
      const real = roundTripMs === 0 ? 0 : (await pingMs(database.env["DATABASE_URL"] ?? "")) - direct;
      const found = { target, roundTripMs: real };
      started.set(key, found);
      return found;
    };
    const measured = await measurePoints(bench, store, targetOf);
    const calibrating = [...measured].filter(([{ isCalibration }]) => isCalibration).map(([, one]) => one);
    const constants = calibrate(calibrating);
    for (const point of points) {
      const one = measured.get(point);
      if (one !== undefined) compare(bench, constants, point, one);
    }
    addModel(bench, constants);
  });
}

function compare({ results }: Bench, constants: Constants, point: Point, measured: Measured): void {
  const predicted = predict(constants, measured.setting);
  results.points.push(measured);
  const add = (quantity: string, unit: "µs" | "ms" | "", ours: number, theirs: number) =>
    results.comparisons.push({
      point: nameOf(point),
      isCalibration: point.isCalibration,
      quantity,
      unit,
      predicted: ours,
      measured: theirs,
    });
  // What never rests sends as many at once as it has connections: no law of arrivals.
  if (point.perSecond !== null) add("look-ups a statement", "", predicted.batchSize, measured.batchSize);
  else add("look-ups a statement", "", Number.NaN, measured.batchSize);
  const atSize = point.perSecond === null ? costsAt(constants, measured.batchSize) : predicted;
  add("latchkey's CPU a request", "µs", atSize.latchkey, measured.latchkey);
  add("PostgreSQL's CPU a request", "µs", atSize.database, measured.database);
  if (point.perSecond !== null) add("p99", "ms", predicted.p99 / 1000, measured.p99 / 1000);
}

const loads = [1_000, 100_000, 10_000_000] as const;
/** Of each core, so that one of two machines may be lost, and peaks have room. */
const utilisation = 0.6;
/** Within one zone of a cloud. */
const roundTripMs = 0.5;

function addModel({ results }: Bench, constants: Constants): void {
  const titles: Readonly<Record<keyof Constants, string>> = {
    request: "the model: latchkey's CPU a request",
    batch: "  latchkey's CPU a statement",
    lookup: "  PostgreSQL's CPU a look-up",
    statement: "  PostgreSQL's CPU a statement",
    floor: "  what p99 has beyond round trip and queues",
  };
  for (const name of Object.keys(titles) as (keyof Constants)[])
    addFigure(results, { id: `scale-model-${name}`, title: titles[name] }, "µs", [constants[name]]);
  for (const perSecond of loads) {
    const size = sizeFor(constants, { perSecond, roundTrip: roundTripMs * 1000, utilisation });
    const add = (id: string, title: string, unit: "" | "µs" | "ms", value: number) =>
      addFigure(results, { id: `scale-for-${perSecond}-${id}`, title }, unit, [value]);
    add("processes", `for ${perSecond.toLocaleString("en-US")} verifies/s: processes`, "", size.processes);
    add("cores", "  PostgreSQL's cores", "", size.databaseCores);
    add("batch", "  look-ups a statement", "", size.batchSize);
    add("p99", "  p99", "ms", size.p99 / 1000);
  }
}
