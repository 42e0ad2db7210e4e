import { type Bench, withOpened, type Workload } from "../bench.ts";
import { type Generator, startGenerator } from "../load/client.ts";
import type { LoadResult, LoadSpec } from "../load/protocol.ts";
import { writeRequests } from "../load/requests.ts";
import { addFigure } from "../report/results.ts";
import { ratios } from "../report/statistics.ts";
import { sessionRequests } from "../seed/sessions.ts";
import { signIns, trustGenerator } from "../seed/sign-ins.ts";
import { openSqlite } from "../targets/databases.ts";
import { startLatchkey } from "../targets/latchkey.ts";
import { loadSpec, runChecked } from "./interleave.ts";

const population = { users: 1_500, sessions: 1_000 };
/** Of the users, those who flood; the others sign in beside them. */
const flooding = 1_000;
const visitors = 500;
const hostile = 400;
/** Leaves the server idle most of the time, yet sees every stall of a millisecond. */
const pacedPerSecond = 1_000;
/** Two people sign in a second, each over a connection of his own, and from an address that has not signed in before. */
const honestPerSecond = 2;
const honestConnections = 16;
const honestEach = 60;
/** Past the queue's bound and past the deadline a sign-in is refused: by 503, nothing else. */
const mayAnswer = { 503: null };

type Load = Omit<LoadSpec, "until">;

interface Flood {
  readonly id: string;
  readonly name: string;
  readonly signIns: Load;
  /** After which each address has had a turn: from then on newcomers are told from them. */
  readonly settledMs: number;
}

/** Verify and sign-in alone, then while hundreds sign in without a pause. The server has all cores, as hashing has threads. */
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
      let honestFrom = flooding;
      const nextHonest = async () => {
        const requests = signIns(honestEach, { mayAnswer, first: honestFrom });
        honestFrom += honestEach;
        return await loadSpec({ target, requests, connections: honestConnections });
      };
      for (const kind of [
        { id: "one", name: "from one address", addresses: [1, 1], settledMs: 2_000 },
        { id: "many", name: "from as many addresses", addresses: [visitors, hostile], settledMs: 45_000 },
      ] as const) {
        const [load, others] = await Promise.all(
          kind.addresses.map(async (addresses) => {
            const set = signIns(flooding, { mayAnswer, addresses });
            return await loadSpec({ target, requests: set, connections: visitors });
          }),
        );
        if (load === undefined || others === undefined) continue;
        // The generator reads its requests before its first run: not in the middle of one that is measured.
        await runChecked(second, "one sign-in", { ...load, connections: 1, until: { requests: 1 } });
        await measureFlood(bench, second, verify, { ...kind, signIns: load });
        await measureHonest(bench, second, nextHonest, {
          ...kind,
          signIns: { ...others, connections: hostile },
        });
      }
    }),
};

interface Percentiles {
  /** p99 with 64 connections that never rest, in ms, a round each. */
  readonly full: number[];
  /** Likewise at an even pace. */
  readonly paced: number[];
}

async function measureFlood(
  bench: Bench,
  second: Generator,
  verify: Load,
  { id, name, signIns: flooded }: Flood,
) {
  const idle: Percentiles = { full: [], paced: [] };
  const during: Percentiles = { full: [], paced: [] };
  const signedIn: number[] = [];
  const startedMs: number[] = [];
  for (let round = 0; round < (bench.options.quick ? 1 : 9); round += 1) {
    await measureVerify(bench, "verify, idle", verify, idle);
    const { measureMs, warmUpMs } = bench.scale;
    const floodMs = measureMs + 2 * (2 * measureMs + warmUpMs);
    const until = { warmUpMs: 0, measureMs: floodMs, mayBeSilent: true } as const;
    const [floodResult, beginning] = await Promise.all([
      runChecked(second, "sign-in flood", { ...flooded, until }),
      measureBeginning(bench, verify).then(async (maxMs) => {
        await measureVerify(bench, "verify during the flood", verify, during);
        return maxMs;
      }),
    ]);
    signedIn.push(((floodResult.statuses["200"] ?? 0) / floodResult.elapsedMs) * 1000);
    startedMs.push(beginning);
  }
  const { results } = bench;
  const figure = (part: string) => `flood-${part}-${id}`;
  const title = `verify p99 during ${visitors} sign-ins at once ${name}, against idle`;
  addFigure(results, { id: figure("p99"), title }, "×", ratios(during.full, idle.full));
  addFigure(results, { id: figure("p99-idle"), title: "  p99 idle" }, "ms", idle.full);
  addFigure(results, { id: figure("p99-during"), title: "  p99 during" }, "ms", during.full);
  const pace = `at ${pacedPerSecond.toLocaleString("en-US")}/s`;
  addFigure(results, { id: figure("paced-idle"), title: `  p99 idle, ${pace}` }, "ms", idle.paced);
  addFigure(results, { id: figure("paced-during"), title: `  p99 during, ${pace}` }, "ms", during.paced);
  const beginning = {
    id: figure("beginning"),
    title: `  the worst verify while all ${visitors} begin at once`,
  };
  addFigure(results, beginning, "ms", startedMs);
  addFigure(results, { id: figure("sign-ins"), title: "  sign-ins meanwhile" }, "/s", signedIn);
}

/** Somebody who signs in from elsewhere while others flood the line. */
async function measureHonest(
  bench: Bench,
  second: Generator,
  nextHonest: () => Promise<Load>,
  { id, name, signIns: flooded, settledMs }: Flood,
): Promise<void> {
  const { measureMs, warmUpMs } = bench.scale;
  const slowestMs: number[] = [];
  const refused: number[] = [];
  for (let round = 0; round < (bench.options.quick ? 1 : 3); round += 1) {
    const until = { warmUpMs, measureMs: 4 * measureMs, mayBeSilent: true } as const;
    const hostileUntil = { ...until, warmUpMs: settledMs + warmUpMs };
    const honest = await nextHonest();
    const [, answers] = await Promise.all([
      runChecked(second, "hostile sign-ins", { ...flooded, until: hostileUntil }),
      // Not before: those who come at their pace would still wait for the ones that were kept waiting meanwhile.
      Bun.sleep(settledMs).then(() =>
        runChecked(bench.generator, "honest sign-ins", { ...honest, pace: honestPerSecond, until }),
      ),
    ]);
    slowestMs.push(answers.maxMs);
    refused.push(shareOf(answers, "503"));
  }
  const title = `the slowest sign-in beside ${hostile} hostile ones ${name}`;
  addFigure(bench.results, { id: `flood-honest-${id}`, title }, "ms", slowestMs);
  addFigure(bench.results, { id: `flood-refused-${id}`, title: "  of these, refused by 503" }, "%", refused);
}

const shareOf = ({ statuses, answers }: LoadResult, status: string): number =>
  answers === 0 ? 0 : ((statuses[status] ?? 0) / answers) * 100;

/** The first second of a flood is told apart: hundreds of requests arrive in one turn of the event loop, once. */
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
