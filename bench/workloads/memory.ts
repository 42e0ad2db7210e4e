import { attempt, type Bench, type Workload, withOpened } from "../bench.ts";
import { writeRequests } from "../load/requests.ts";
import { memoryUsage } from "../machine/process-usage.ts";
import { addFigure } from "../report/results.ts";
import { sessionRequests } from "../seed/sessions.ts";
import { signIns, trustGenerator } from "../seed/sign-ins.ts";
import { openSqlite } from "../targets/databases.ts";
import { startLatchkey } from "../targets/latchkey.ts";
import type { Target } from "../targets/target.ts";
import { loadSpec, runChecked } from "./interleave.ts";

/** A machine too slow for the whole million in this time gets a title that says how many there were. */
const atMostMs = 240_000;

/** What a process holds once it has verified a million times, over more sessions than it caches; and after ten thousand sign-ins. */
export const memory: Workload = {
  name: "memory",
  async run(bench) {
    await attempt(bench, "memory after verifies", () => afterVerifies(bench));
    await attempt(bench, "memory after sign-ins", () => afterSignIns(bench));
  },
};

async function afterVerifies(bench: Bench): Promise<void> {
  await withOpened(async (opened) => {
    const { options, generator } = bench;
    const [sessions, verifies] = options.quick ? [10_000, 50_000] : [100_000, 1_000_000];
    const population = { users: sessions / 10, sessions };
    const database = opened(await openSqlite(bench.executables, population), (it) => it.close());
    const target = opened(await startLatchkey({ ...bench, database }), (it) => it.stop());
    const requests = writeRequests(sessionRequests("/api/auth/verify", sessions), 200);
    const load = await loadSpec({ target, requests, connections: 64 });
    const until = { requests: verifies, atMostMs };
    const { answers } = await runChecked(generator, "memory", { ...load, until });
    const what = `${answers.toLocaleString("en-US")} verifies over ${sessions.toLocaleString("en-US")} sessions`;
    addMemory(bench, target, "memory-after", what);
  });
}

/** By as many at once as latchkey hashes by default. */
async function afterSignIns(bench: Bench): Promise<void> {
  await withOpened(async (opened) => {
    const { options, generator } = bench;
    const population = { users: 1_000, sessions: 1_000 };
    const database = opened(await openSqlite(bench.executables, population), (it) => it.close());
    const latchkey = { ...bench, database, on: "all", env: trustGenerator } as const;
    const target = opened(await startLatchkey(latchkey), (it) => it.stop());
    const load = await loadSpec({ target, requests: signIns(population.users), connections: 8 });
    const until = { requests: options.quick ? 100 : 10_000, atMostMs };
    const { answers } = await runChecked(generator, "memory", { ...load, until });
    const what = `${answers.toLocaleString("en-US")} sign-ins`;
    addMemory(bench, target, "memory-at-last-sign-in", `the last of ${what}, at once`);
    // As before traffic: what the last hashes held is given back by then.
    await Bun.sleep(500);
    addMemory(bench, target, "memory-sign-ins", what);
  });
}

function addMemory({ results }: Bench, { pid }: Target, id: string, what: string): void {
  const { rss, pss } = memoryUsage(pid);
  addFigure(results, { id, title: `memory after ${what}, RSS` }, "MB", [rss]);
  if (pss !== null) addFigure(results, { id: `${id}-pss`, title: `memory after ${what}, PSS` }, "MB", [pss]);
}
