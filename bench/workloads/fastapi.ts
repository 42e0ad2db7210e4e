import { withOpened, type Workload } from "../bench.ts";
import { writeRequests } from "../load/requests.ts";
import { addFigure, type Series, type Unit } from "../report/results.ts";
import { ratios } from "../report/statistics.ts";
import { sessionRequests } from "../seed/sessions.ts";
import { openSqlite } from "../targets/databases.ts";
import { startPython } from "../targets/python.ts";
import { startTarget } from "../targets/target.ts";
import { interleave, loadRunners } from "./interleave.ts";

const population = { users: 1_000, sessions: 1_000 };
const connections = 16;

/**
 * What asking latchkey at every request costs a FastAPI app, by CPU time of its one process: a route without it, the same
 * with latchkey-fastapi, and with httpx; and a Starlette app by the middleware. latchkey shares the other cores with the
 * generator.
 */
export const fastapi: Workload = {
  name: "fastapi",
  run: (bench) =>
    withOpened(async (opened) => {
      const { cores, executables, results, scale } = bench;
      const database = opened(await openSqlite(executables, population), (it) => it.close());
      const executable = await executables("latchkey");
      const env = { ...database.env, PORT: "0" };
      const latchkey = opened(
        await startTarget({ name: "latchkey", executable, env, cores, on: "others" }),
        (it) => it.stop(),
      );
      const api = opened(await startPython("fastapi", cores, latchkey.url), (it) => it.stop());
      const lean = opened(await startPython("starlette", cores, latchkey.url), (it) => it.stop());
      const routes = [
        ["plain", api],
        ["protected", api],
        ["httpx", api],
        ["plain", lean],
        ["protected", lean],
      ] as const;
      const loads = routes.map(([route, target]) => ({
        name: `${target.name} ${route}`,
        target,
        requests: writeRequests(sessionRequests(`/${route}`, population.sessions), 200),
        connections,
      }));
      const duration = { ...scale, measureMs: scale.measureMs * 2 };
      const series = await interleave(bench, "python", await loadRunners(bench, loads), duration);
      // Nowhere but on Linux is it said what a process costs.
      const [bare = [], check = [], stock = [], leanBare = [], leanCheck = []] = series.map(cpuMicros);
      if (check.length === 0) return;
      const add = (id: string, title: string, unit: Unit, values: readonly number[]) =>
        addFigure(results, { id, title }, unit, values);
      add("fastapi-check", "FastAPI, a route that asks latchkey, CPU", "µs", check);
      add("fastapi-plain", "  against one that does not", "×", ratios(check, bare));
      add("fastapi-httpx", "  one that asks by httpx, against it", "×", ratios(stock, check));
      add("starlette-check", "Starlette, a route behind the middleware, CPU", "µs", leanCheck);
      add("starlette-plain", "  against one that it ignores", "×", ratios(leanCheck, leanBare));
    }),
};

function cpuMicros({ samples }: Series): number[] {
  return samples.flatMap((sample) => (sample.cpuMicros === null ? [] : [sample.cpuMicros]));
}
