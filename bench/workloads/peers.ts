import { freePort, sharedPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { temporaryDirectory } from "../../test/support/reaper.ts";
import { attempt, type Bench, withOpened, type Workload } from "../bench.ts";
import { memoryUsage } from "../machine/process-usage.ts";
import { betterAuth } from "../peers/better-auth.ts";
import { gotrue } from "../peers/gotrue.ts";
import { kratos } from "../peers/kratos.ts";
import { latchkey } from "../peers/latchkey.ts";
import type { Peer } from "../peers/peer.ts";
import { pocketbase } from "../peers/pocketbase.ts";
import { prove, type Requests, seed } from "../peers/seed.ts";
import { type Installed, startPeer } from "../peers/start.ts";
import {
  counterpart,
  isLatchkey,
  type Measure,
  measureKinds,
  type PeerMeasures,
  titleOf,
} from "../report/peers/measures.ts";
import { addFigure, addRatio, type Sample, type Series } from "../report/results.ts";
import { mean, spreadOf } from "../report/statistics.ts";
import type { Target } from "../targets/target.ts";
import { interleave, loadRunners, loadSpec, runChecked, type Runner, sampleOf } from "./interleave.ts";

/** As many users, each with one session. */
const visitors = 100;
/** What start-up leaves behind is collected by then. */
const restMs = 3_000;
const signInConnections = 8;
/** So many verifies before all rounds: Node compiles what it runs often. */
const warmUpRequests = 3_000;
/** A machine too slow for its sign-ins in this time has fewer measured. */
const atMostMs = 120_000;

/** A product that is being measured. */
interface Contender {
  readonly installed: Installed;
  readonly requests: Requests;
  /** What was found, by measure: a value a round. */
  readonly found: Map<Measure, readonly number[]>;
}

type Running = Contender & { readonly target: Target };

/** latchkey beside other products, each by its own API, with its own hash, on one core. Builds them first, which takes minutes. */
export const peers: Workload = {
  name: "peers",
  onDemand: true,
  run: (bench) =>
    withOpened(async (opened) => {
      const postgres = await sharedPostgres();
      const installed: Installed[] = [];
      for (const peer of peersOf(bench)) {
        const program = await build(bench, peer);
        if (program === null) continue;
        const databaseUrl = peer.database === "postgres" ? await postgres.createDatabase() : null;
        if (databaseUrl !== null)
          opened(databaseUrl, (url) => postgres.dropDatabase(new URL(url).pathname.slice(1)));
        const directory = temporaryDirectory("bench-peer");
        installed.push({ peer, program, place: { directory, port: freePort(), databaseUrl } });
      }
      const contenders = await fillAll(bench, installed);
      await attempt(bench, "peers, start", () => measureStarts(bench, contenders));
      const running: Running[] = [];
      for (const contender of contenders)
        running.push({
          ...contender,
          target: opened(await startPeer(contender.installed, bench.cores), (it) => it.stop()),
        });
      await Bun.sleep(restMs);
      takeMemory("memoryBefore", running);
      await attempt(bench, "peers, verify", () => measureVerify(bench, postgres, running));
      await attempt(bench, "peers, sign-in", () => measureSignIns(bench, postgres, running));
      await attempt(bench, "peers, asking once more", async () => {
        for (const { installed, requests, target } of running)
          await prove(installed.peer, target.url, requests.sessions);
      });
      addFigures(bench, contenders);
    }),
};

/** In the order of the tables. */
function peersOf({ executables }: Bench): Peer[] {
  return [
    latchkey(executables, "sqlite"),
    pocketbase,
    kratos("sqlite"),
    betterAuth("hono", "sqlite"),
    betterAuth("express", "sqlite"),
    latchkey(executables, "postgres"),
    gotrue,
    kratos("postgres"),
    betterAuth("express", "postgres"),
  ];
}

/** @returns null, and says so, where a product is not to be had. */
async function build({ results, tell }: Bench, peer: Peer): Promise<string | null> {
  tell(`peers, building ${titleOf(peer)}`);
  try {
    return await peer.build();
  } catch (error) {
    // Where a registry is on this network is nobody's business.
    const reason = (error instanceof Error ? error.message : String(error)).replaceAll(
      /https?:\/\/\S+/g,
      "…",
    );
    tell(`LEFT OUT ${titleOf(peer)}: ${reason}`);
    results.peers.missing.push({ name: `${titleOf(peer)} (${peer.version})`, reason });
    return null;
  }
}

/** All at once. @returns those that took everybody, in their order. */
async function fillAll(bench: Bench, installed: readonly Installed[]): Promise<Contender[]> {
  const filled = new Map<Installed, Contender>();
  const fillOne = (one: Installed) =>
    attempt(bench, `peers, signing up ${visitors} at ${titleOf(one.peer)}`, async () => {
      filled.set(one, await fill(bench, one));
    });
  await Promise.all(installed.map(fillOne));
  return installed.flatMap((one) => filled.get(one) ?? []);
}

/** Signs everybody up, in a process that ends after it: what is measured has an existing database. */
async function fill({ cores }: Bench, installed: Installed): Promise<Contender> {
  const { peer, program, place } = installed;
  await peer.prepare?.(program, place);
  const target = await startPeer(installed, cores, "all");
  try {
    return { installed, requests: await seed(peer, target, visitors), found: new Map() };
  } finally {
    await target.stop();
  }
}

async function measureStarts({ cores, options }: Bench, contenders: readonly Contender[]): Promise<void> {
  for (let repeat = 0; repeat < (options.quick ? 2 : 7); repeat += 1) {
    for (const { installed, found } of contenders) {
      const target = await startPeer(installed, cores);
      await target.stop();
      found.set("start", [...(found.get("start") ?? []), target.startMs]);
    }
  }
}

function takeMemory(measure: Measure, running: readonly Running[]): void {
  for (const { target, found } of running) found.set(measure, [memoryUsage(target.pid).rss]);
}

async function measureVerify(
  bench: Bench,
  postgres: TestPostgres,
  running: readonly Running[],
): Promise<void> {
  for (const connections of [64, 1]) {
    const loads = running.map(({ target, requests, installed }) => ({
      target,
      requests: requests.verify,
      connections,
      prime: connections === 1 || bench.options.quick ? 0 : warmUpRequests,
      ...databaseOf(installed, postgres),
    }));
    const title = `peers, verify, ${connections} connection${connections === 1 ? "" : "s"}`;
    const series = await interleave(bench, title, await loadRunners(bench, loads));
    const measures = connections === 1 ? aloneMeasures : verifyMeasures;
    for (const [index, { found }] of running.entries()) keep(found, series[index], measures);
    addRatios(bench, connections === 1 ? "alone" : "verify", title, running, series);
    if (connections === 64) takeMemory("memoryVerified", running);
  }
}

/** A count, not a time: hashes that share a core end together, and a second of time sees all of them or none. */
async function measureSignIns(
  bench: Bench,
  postgres: TestPostgres,
  running: readonly Running[],
): Promise<void> {
  const signIns = bench.options.quick ? 8 : 24;
  const runners = await Promise.all(
    running.map(async ({ target, requests, installed }): Promise<Runner> => {
      const { signIn, signInSteps: steps } = requests;
      const load = {
        target,
        requests: signIn,
        connections: signInConnections,
        ...databaseOf(installed, postgres),
      };
      const until = { requests: signIns * steps, atMostMs };
      const spec = { ...(await loadSpec(load)), until };
      const run = async () => ofSteps(sampleOf(await runChecked(bench.generator, target.name, spec)), steps);
      return { name: target.name, run };
    }),
  );
  const series = await interleave(bench, "peers, sign-in", runners);
  for (const [index, { found }] of running.entries()) {
    keep(found, series[index], signInMeasures);
    // A round's is a few of the ticks that a process's time is counted in.
    const database = found.get("signInDatabaseCpu");
    if (database !== undefined) found.set("signInDatabaseCpu", [mean(database)]);
  }
  takeMemory("memorySignedIn", running);
  addRatios(bench, "sign-in", "peers, sign-in", running, series);
}

function databaseOf({ peer }: Installed, { pid }: TestPostgres) {
  return peer.database === "postgres" ? { databasePid: pid } : {};
}

/** A sample a sign-in, from one a request. How long a sign-in takes is not known where it is several. */
function ofSteps(sample: Sample, steps: number): Sample {
  if (steps === 1) return sample;
  const { perSecond, cpuMicros, databaseCpuMicros } = sample;
  return {
    ...sample,
    p50Ms: Number.NaN,
    p99Ms: Number.NaN,
    perSecond: perSecond / steps,
    cpuMicros: cpuMicros === null ? null : cpuMicros * steps,
    ...(databaseCpuMicros === undefined ? {} : { databaseCpuMicros: databaseCpuMicros * steps }),
  };
}

type Measures = Partial<Record<Measure, (sample: Sample) => number | null | undefined>>;

const verifyMeasures: Measures = {
  verifyCpu: ({ cpuMicros }) => cpuMicros,
  verifyDatabaseCpu: ({ databaseCpuMicros }) => databaseCpuMicros,
  verifyRate: ({ perSecond }) => perSecond,
};
const aloneMeasures: Measures = {
  aloneCpu: ({ cpuMicros }) => cpuMicros,
  aloneDatabaseCpu: ({ databaseCpuMicros }) => databaseCpuMicros,
  aloneP50: ({ p50Ms }) => p50Ms,
};
const signInMeasures: Measures = {
  signInCpu: ({ cpuMicros }) => (cpuMicros === null ? null : cpuMicros / 1000),
  signInDatabaseCpu: ({ databaseCpuMicros }) =>
    databaseCpuMicros === undefined ? undefined : databaseCpuMicros / 1000,
  signInRate: ({ perSecond }) => perSecond,
};

/** Keeps what could be taken. */
function keep(found: Contender["found"], series: Series | undefined, measures: Measures): void {
  for (const [measure, pick] of Object.entries(measures) as [
    Measure,
    (sample: Sample) => number | null | undefined,
  ][]) {
    const values = (series?.samples ?? []).flatMap((sample) => pick(sample) ?? []);
    if (values.length > 0) found.set(measure, values);
  }
}

/** How many times as many requests a second latchkey answers as each of the others on its database. */
function addRatios(
  { results }: Bench,
  kind: string,
  title: string,
  running: readonly Running[],
  series: readonly Series[],
): void {
  const all = running.map(({ installed }) => reportOf(installed.peer));
  for (const [index, peer] of all.entries()) {
    const latchkeys = counterpart(all, peer);
    const [own, other] = [series[latchkeys === undefined ? -1 : all.indexOf(latchkeys)], series[index]];
    if (isLatchkey(peer) || own === undefined || other === undefined) continue;
    addRatio(
      results,
      { id: `peers-${kind}-${peer.id}`, title: `${title}, against ${titleOf(peer)}` },
      own,
      other,
    );
  }
}

function reportOf({ id, name, version, database, asked, limits }: Peer): PeerMeasures {
  return { id, name, version, database, asked, limits, values: {} };
}

function addFigures({ results }: Bench, contenders: readonly Contender[]): void {
  for (const { installed, found } of contenders) {
    const { peer } = installed;
    const values = Object.fromEntries([...found].map(([measure, rounds]) => [measure, spreadOf(rounds)]));
    results.peers.measured.push({ ...reportOf(peer), values });
    for (const measure of ["start", "memoryBefore", "memoryVerified", "memorySignedIn"] as const) {
      const rounds = found.get(measure);
      const { title, unit } = measureKinds[measure];
      const name = { id: `peers-${measure}-${peer.id}`, title: `${title}, ${titleOf(peer)}` };
      if (rounds !== undefined) addFigure(results, name, unit, rounds);
    }
  }
}
