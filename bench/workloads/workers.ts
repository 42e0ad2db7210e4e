import { attempt, type Bench, withOpened, type Workload } from "../bench.ts";
import { writeRequests } from "../load/requests.ts";
import { addFigure, addRatio } from "../report/results.ts";
import { sessionRequests } from "../seed/sessions.ts";
import { openPostgres, openSqlite, type SeededDatabase } from "../targets/databases.ts";
import { startLatchkey } from "../targets/latchkey.ts";
import type { Target } from "../targets/target.ts";
import { interleave, loadRunners } from "./interleave.ts";
import { population, verifyScenarios } from "./verify-scenarios.ts";

/** So many that each worker, too, has some to answer whenever it looks. */
const connections = 256;
/** New connections each 10 ms while workers are replaced: 500 a second. */
const [batch, batchMs] = [5, 10];

/**
 * Verify and list-sessions by two workers against one process, both on all cores, which the generator shares: where it takes one of
 * two, as with verify, look at the ratio by CPU. And what a rolling restart costs whoever has no proxy before it.
 */
export const workers: Workload = {
  name: "workers",
  async run(bench) {
    for (const open of [openSqlite, openPostgres])
      await withOpened(async (opened) => {
        const database = opened(await open(bench.executables, population), (it) => it.close());
        const start = (count: number) =>
          startLatchkey({ ...bench, database, on: "all", env: { LATCHKEY_WORKERS: String(count) } });
        const one = opened(await start(1), (it) => it.stop());
        const two = opened(await start(2), (it) => it.stop());
        await measureAll(bench, database, one, two);
        await attempt(bench, `workers, ${database.driver}, rolling restarts`, () =>
          measureRestarts(bench, database, two),
        );
      });
  },
};

async function measureAll(bench: Bench, { driver }: SeededDatabase, one: Target, two: Target): Promise<void> {
  const rotation = verifyScenarios().filter(({ id }) => id === "rotation");
  // By way of BetterAuth: it costs the server fifty times what it costs the generator.
  const list = writeRequests(sessionRequests("/api/auth/list-sessions", population.sessions), 200);
  const scenarios = [...rotation, { id: "list", title: "list-sessions", requests: list }];
  for (const { id, title, requests } of scenarios) {
    const prime = id === "rotation" && driver === "sqlite" ? population.sessions * 4 : 0;
    const load = { requests, connections, prime };
    const runners = await loadRunners(bench, [
      { ...load, target: one },
      { ...load, name: `${two.name}, 2 workers`, target: two },
    ]);
    const what = id === "rotation" ? `verify, ${title}` : title;
    const [alone, both] = await interleave(bench, `workers, ${driver}, ${what}`, runners);
    if (alone === undefined || both === undefined) continue;
    const name = { id: `workers-${id}-${driver}`, title: `2 workers against 1 process, ${driver}, ${what}` };
    addRatio(bench.results, name, both, alone);
  }
}

/** Asks on new connections, at an even pace, while all workers are replaced again and again. */
async function measureRestarts(bench: Bench, { driver }: SeededDatabase, target: Target): Promise<void> {
  const shares: number[] = [];
  for (let round = 0; round < bench.scale.rounds; round += 1) {
    const asked: Promise<boolean>[] = [];
    const started = performance.now();
    for (let turn = 0; turn * batchMs < bench.scale.measureMs * 2; turn += 1) {
      if (turn === 10) process.kill(target.pid, "SIGHUP");
      for (let at = 0; at < batch; at += 1) asked.push(isAnswered(target));
      await Bun.sleep(Math.max(0, started + (turn + 1) * batchMs - performance.now()));
    }
    const answered = await Promise.all(asked);
    shares.push((10_000 * answered.filter((is) => !is).length) / answered.length);
  }
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  const title = `of 10,000 new connections, reset while workers were replaced, ${driver}, 500 a second`;
  addFigure(bench.results, { id: `workers-resets-${driver}`, title }, "", [mean]);
}

async function isAnswered({ url }: Target): Promise<boolean> {
  return await fetch(`${url}/api/auth/verify`, { keepalive: false }).then(
    async (answer) => (await answer.arrayBuffer()).byteLength > 0 && answer.status === 401,
    () => false,
  );
}
