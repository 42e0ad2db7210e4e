import { type Bench, withOpened, type Workload } from "../bench.ts";
import { type Generator, startGenerator } from "../load/client.ts";
import type { LoadSpec } from "../load/protocol.ts";
import { writeRequests } from "../load/requests.ts";
import { addFigure } from "../report/results.ts";
import { ratios } from "../report/statistics.ts";
import { sessionRequests } from "../seed/sessions.ts";
import { signIns, trustGenerator } from "../seed/sign-ins.ts";
import { openSqlite } from "../targets/databases.ts";
import { startLatchkey } from "../targets/latchkey.ts";
import { loadSpec, runChecked } from "./interleave.ts";

const population = { users: 1_000, sessions: 1_000 };
const visitors = 250;
/** Leaves the server idle most of the time, yet sees every stall of a millisecond. */
const pacedPerSecond = 1_000;

type Load = Omit<LoadSpec, "until">;

/** Verify alone, then while 250 visitors sign in without a pause. The server has all cores, as hashing has a thread. */
export const flood: Workload = {
  name: "flood",
  run: (bench) =>
    withOpened(async (opened) => {
      const database = opened(await openSqlite(bench.executables, population), (it) => it.close());
      const latchkey = { ...bench, database, on: "all", env: trustGenerator } as const;
      const target = opened(await startLatchkey(latchkey), (it) => it.stop());
      const second = opened(startGenerator(bench.cores), (it) => it.close());
      const requests = writeRequests(sessionRequests("/api/auth/verify", population.sessions), 200);
      const verify = await loadSpec({ target, requests, connections: 64 });
      // Past the queue's bound and past the deadline a sign-in is refused: by 503, nothing else.
      const mayAnswer = { 200: null, 503: null };
      const signInSet = signIns(population.users, mayAnswer);
      const signIn = await loadSpec({ target, requests: signInSet, connections: visitors });
      // The generator reads its requests before its first run: not in the middle of one that is measured.
      await runChecked(second, "one sign-in", { ...signIn, connections: 1, until: { requests: 1 } });
      await measure(bench, second, verify, signIn);
    }),
};

interface Percentiles {
  /** p99 with 64 connections that never rest, in ms, a round each. */
  readonly full: number[];
  /** Likewise at an even pace. */
  readonly paced: number[];
}

async function measure(bench: Bench, second: Generator, verify: Load, signIn: Load): Promise<void> {
  const idle: Percentiles = { full: [], paced: [] };
  const flooded: Percentiles = { full: [], paced: [] };
  const signedIn: number[] = [];
  const startedMs: number[] = [];
  for (let round = 0; round < (bench.options.quick ? 1 : 3); round += 1) {
    await measureVerify(bench, "verify, idle", verify, idle);
    const { measureMs, warmUpMs } = bench.scale;
    const floodMs = measureMs + 2 * (2 * measureMs + warmUpMs);
    const until = { warmUpMs: 0, measureMs: floodMs, mayBeSilent: true } as const;
    const [signIns, beginning] = await Promise.all([
      runChecked(second, "sign-in flood", { ...signIn, until }),
      measureBeginning(bench, verify).then(async (maxMs) => {
        await measureVerify(bench, "verify during the flood", verify, flooded);
        return maxMs;
      }),
    ]);
    signedIn.push(((signIns.statuses["200"] ?? 0) / signIns.elapsedMs) * 1000);
    startedMs.push(beginning);
  }
  addFigures(bench, idle, flooded);
  const beginning = { id: "flood-beginning", title: "  the worst verify while all 250 begin at once" };
  addFigure(bench.results, beginning, "ms", startedMs);
  addFigure(bench.results, { id: "flood-sign-ins", title: "  sign-ins meanwhile" }, "/s", signedIn);
}

/** The first second of a flood is told apart: 250 requests arrive in one turn of the event loop, once. */
async function measureBeginning({ generator, scale }: Bench, verify: Load): Promise<number> {
  const until = { warmUpMs: 0, measureMs: scale.measureMs, mayBeSilent: true } as const;
  const load = { ...verify, pace: pacedPerSecond, until };
  return (await runChecked(generator, "verify as the flood begins", load)).maxMs;
}

async function measureVerify(
  { generator, scale }: Bench,
  what: string,
  verify: Load,
  { full, paced }: Percentiles,
): Promise<void> {
  const until = { warmUpMs: scale.warmUpMs, measureMs: scale.measureMs * 2, mayBeSilent: true } as const;
  full.push((await runChecked(generator, what, { ...verify, until })).p99Ms);
  paced.push((await runChecked(generator, what, { ...verify, pace: pacedPerSecond, until })).p99Ms);
}

function addFigures({ results }: Bench, idle: Percentiles, flooded: Percentiles): void {
  const during = "during 250 sign-ins at once";
  const goal = { id: "flood-p99", title: `verify p99 ${during}, against idle` };
  addFigure(results, goal, "×", ratios(flooded.full, idle.full));
  addFigure(results, { id: "flood-p99-idle", title: "  p99 idle" }, "ms", idle.full);
  addFigure(results, { id: "flood-p99-during", title: "  p99 during" }, "ms", flooded.full);
  const pace = `at ${pacedPerSecond.toLocaleString("en-US")}/s`;
  addFigure(results, { id: "flood-paced-idle", title: `  p99 idle, ${pace}` }, "ms", idle.paced);
  addFigure(results, { id: "flood-paced-during", title: `  p99 during, ${pace}` }, "ms", flooded.paced);
}
