import { type Workload, withOpened } from "../bench.ts";
import { writeRequests } from "../load/requests.ts";
import { memoryUsage } from "../machine/process-usage.ts";
import { addFigure } from "../report/results.ts";
import { sessionRequests } from "../seed/sessions.ts";
import { openSqlite } from "../targets/databases.ts";
import { startLatchkey } from "../targets/latchkey.ts";
import { loadSpec, runChecked } from "./interleave.ts";

/** A machine too slow for the whole million in this time gets a title that says how many there were. */
const atMostMs = 240_000;

/** What a process holds once it has verified a million times, over more sessions than it caches. */
export const memory: Workload = {
  name: "memory",
  run: (bench) =>
    withOpened(async (opened) => {
      const { options, results, generator } = bench;
      const [sessions, verifies] = options.quick ? [10_000, 50_000] : [100_000, 1_000_000];
      const population = { users: sessions / 10, sessions };
      const database = opened(await openSqlite(bench.executables, population), (it) => it.close());
      const target = opened(await startLatchkey({ ...bench, database }), (it) => it.stop());
      const requests = writeRequests(sessionRequests("/api/auth/verify", sessions), 200);
      const load = await loadSpec({ target, requests, connections: 64 });
      const until = { requests: verifies, atMostMs };
      const { answers } = await runChecked(generator, "memory", { ...load, until });
      const { rss, pss } = memoryUsage(target.pid);
      const title = `memory after ${answers.toLocaleString("en-US")} verifies over ${sessions.toLocaleString("en-US")} sessions`;
      addFigure(results, { id: "memory-after", title: `${title}, RSS` }, "MB", [rss]);
      if (pss !== null) addFigure(results, { id: "memory-after-pss", title: `${title}, PSS` }, "MB", [pss]);
    }),
};
