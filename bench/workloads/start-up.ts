import type { Bench, Workload } from "../bench.ts";
import { withOpened } from "../bench.ts";
import { memoryUsage } from "../machine/process-usage.ts";
import { addFigure } from "../report/results.ts";
import { startBareWith } from "../targets/bare.ts";
import { openSqlite } from "../targets/databases.ts";
import { startLatchkey } from "../targets/latchkey.ts";
import type { Target } from "../targets/target.ts";

/** From spawning to the first 200 of /health, on an existing database; and what a fresh process holds in memory. */
export const startUp: Workload = {
  name: "start-up",
  run: (bench) =>
    withOpened(async (opened) => {
      const { cores, executables, options, results } = bench;
      const database = opened(await openSqlite(executables, { users: 100, sessions: 100 }), (it) =>
        it.close(),
      );
      const programs = [
        () => startLatchkey({ executables, database, cores }),
        () => startBareWith(bench, "/", { status: 200, headers: [], body: "" }),
      ] as const;
      const repeats = options.quick ? 3 : 25;
      const [latchkey, bare] = await measure(programs, repeats);
      addFigure(
        results,
        { id: "start-up", title: "start-up to the first 200 of /health" },
        "ms",
        latchkey.startMs,
      );
      addFigure(results, { id: "start-up-bare", title: "  the same, bare" }, "ms", bare.startMs);
      addMemory(bench, latchkey, bare);
    }),
};

interface Start {
  readonly startMs: number[];
  readonly rss: number[];
  readonly pss: number[];
}

type Starter = () => Promise<Target>;

async function measure(programs: readonly [Starter, Starter], repeats: number): Promise<[Start, Start]> {
  const found: [Start, Start] = [
    { startMs: [], rss: [], pss: [] },
    { startMs: [], rss: [], pss: [] },
  ];
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    for (const [index, start] of programs.entries()) {
      const { startMs, rss, pss } = await startOnce(start);
      found[index]?.startMs.push(startMs);
      found[index]?.rss.push(rss);
      if (pss !== null) found[index]?.pss.push(pss);
    }
  }
  return found;
}

/** Memory is read half a second later: start-up's garbage is still being collected before. */
async function startOnce(start: Starter) {
  const startedAt = performance.now();
  const target = await start();
  try {
    while (!(await fetch(`${target.url}/health`)).ok) await Bun.sleep(1);
    const startMs = performance.now() - startedAt;
    await Bun.sleep(500);
    return { startMs, ...memoryUsage(target.pid) };
  } finally {
    await target.stop();
  }
}

function addMemory({ results }: Bench, latchkey: Start, bare: Start): void {
  addFigure(results, { id: "memory-before", title: "memory before traffic, RSS" }, "MB", latchkey.rss);
  addFigure(results, { id: "memory-before-bare", title: "  the same, bare" }, "MB", bare.rss);
  if (latchkey.pss.length === 0) return;
  addFigure(results, { id: "memory-before-pss", title: "memory before traffic, PSS" }, "MB", latchkey.pss);
}
