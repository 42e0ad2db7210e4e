import { attempt, type Bench, withOpened, type Workload } from "../bench.ts";
import { startCommits } from "../load/commits.ts";
import { addFigure, addRate, addRatio, type Series } from "../report/results.ts";
import { userIdOf } from "../seed/sessions.ts";
import { startBare } from "../targets/bare.ts";
import {
  behindNetwork,
  openPostgres,
  openSqlite,
  type SeededDatabase,
  throughNeon,
} from "../targets/databases.ts";
import { startLatchkey } from "../targets/latchkey.ts";
import type { Target } from "../targets/target.ts";
import { type Disturbance, interleave, type Load, loadRunners } from "./interleave.ts";
import { population, type Scenario, verifyScenarios } from "./verify-scenarios.ts";

const commitsPerSecond = 50;

/** One executable a database, and how it is asked. */
interface Setup {
  readonly prefix: "verify" | "verify-far";
  readonly title: string;
  readonly connections: number;
  readonly contenders: readonly { readonly database: SeededDatabase; readonly target: Target }[];
}

/** Verify on the three databases, all on this machine, against a bare server. */
export const verify: Workload = {
  name: "verify",
  run: (bench) =>
    withOpened(async (opened) => {
      const { executables } = bench;
      const sqlite = opened(await openSqlite(executables, population), (it) => it.close());
      const postgres = opened(await openPostgres(executables, population), (it) => it.close());
      const neon = opened(await throughNeon(postgres, 0), (it) => it.close());
      const contenders = await Promise.all(
        [sqlite, postgres, neon].map(async (database) => ({
          database,
          target: opened(await startLatchkey({ ...bench, database }), (it) => it.stop()),
        })),
      );
      await measureAll(bench, { prefix: "verify", title: "verify", connections: 64, contenders });
    }),
};

/** Verify on the server databases, behind 10 ms a round trip. */
export const verifyFar: Workload = {
  name: "verify-far",
  run: (bench) =>
    withOpened(async (opened) => {
      const direct = opened(await openPostgres(bench.executables, population), (it) => it.close());
      const postgres = opened(await behindNetwork(direct, 10), (it) => it.close());
      const neon = opened(await throughNeon(direct, 10), (it) => it.close());
      const contenders = await Promise.all(
        [postgres, neon].map(async (database) => ({
          database,
          target: opened(await startLatchkey({ ...bench, database }), (it) => it.stop()),
        })),
      );
      const title = "verify, 10 ms away";
      await measureAll(bench, { prefix: "verify-far", title, connections: 256, contenders });
    }),
};

async function measureAll(bench: Bench, setup: Setup): Promise<void> {
  for (const scenario of verifyScenarios()) {
    const title = `${setup.title}, ${scenario.title}`;
    await attempt(bench, title, () => measureScenario(bench, setup, scenario));
  }
}

async function measureScenario(bench: Bench, setup: Setup, scenario: Scenario): Promise<void> {
  const [first] = setup.contenders;
  if (first === undefined) return;
  const committed: number[] = [];
  const bare = await startBare(bench, first.target, scenario.requests.first);
  try {
    const loads = [bare, ...setup.contenders].flatMap((it) => loadsOf(it, bench, setup, scenario, committed));
    const runners = await loadRunners(bench, loads);
    addFigures(bench, setup, scenario, await interleave(bench, `${setup.title}, ${scenario.title}`, runners));
  } finally {
    await bare.stop();
  }
  if (committed.length === 0) return;
  const name = { id: `${setup.prefix}-commits-made`, title: "  commits a second that were made" };
  addFigure(bench.results, name, "/s", committed);
}

type Contender = Setup["contenders"][number];

/** The rotation is also run while another process commits. */
function loadsOf(
  contender: Contender | Target,
  { cores }: Bench,
  { connections }: Setup,
  { id, requests }: Scenario,
  committed: number[],
): Load[] {
  if (!("database" in contender)) return [{ target: contender, requests, connections }];
  const { database, target } = contender;
  const prime = database.driver === "sqlite" ? population.sessions : 0;
  const load = { target, requests, connections, prime };
  if (id !== "rotation") return [load];
  const userId = userIdOf(0);
  const disturbance: Disturbance = async () => {
    const commits = await startCommits({ url: database.url, perSecond: commitsPerSecond, userId, cores });
    return { stop: async () => void committed.push(await commits.stop()) };
  };
  return [load, { ...load, name: `${target.name}, ${commitsPerSecond} commits/s`, disturbance }];
}

function addFigures(
  { results }: Bench,
  { prefix, title, contenders }: Setup,
  scenario: Scenario,
  series: readonly Series[],
): void {
  const [bare] = series;
  for (const { database, target } of contenders) {
    const { driver } = database;
    const own = series.find((it) => it.target === target.name);
    if (own === undefined || bare === undefined) continue;
    const name = {
      id: `${prefix}-${scenario.id}-${driver}`,
      title: `${title}, ${driver}, ${scenario.title}`,
    };
    if (prefix === "verify-far") addRate(results, name, own);
    else addRatio(results, { ...name, title: `${name.title}, against bare` }, own, bare);
    const disturbed = series.find((it) => it.target.startsWith(`${target.name}, `));
    if (disturbed === undefined) continue;
    const commits = {
      id: `${prefix}-commits-${driver}`,
      title: `  the same with ${commitsPerSecond} commits/s, against without`,
    };
    addRatio(results, commits, disturbed, own);
  }
}
