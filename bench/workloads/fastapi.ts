import { withOpened, type Workload } from "../bench.ts";
import { writeRequests } from "../load/requests.ts";
import { addFigure, type Series } from "../report/results.ts";
import { ratios } from "../report/statistics.ts";
import { sessionRequests } from "../seed/sessions.ts";
import { openSqlite } from "../targets/databases.ts";
import { startFastApi } from "../targets/fastapi.ts";
import { startTarget } from "../targets/target.ts";
import { interleave, loadRunners } from "./interleave.ts";

const population = { users: 1_000, sessions: 1_000 };
const connections = 16;

/**
 * What asking latchkey at every request costs a FastAPI app, by CPU time of its one process: a route without it, the same
 * with latchkey-fastapi, and with httpx. latchkey shares the other cores with the generator.
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
      const target = opened(await startFastApi(cores, latchkey.url), (it) => it.stop());
      const loads = ["plain", "protected", "httpx"].map((route) => ({
        name: route,
        target,
        requests: writeRequests(sessionRequests(`/${route}`, population.sessions), 200),
        connections,
      }));
      const duration = { ...scale, measureMs: scale.measureMs * 2 };
      const series = await interleave(bench, "fastapi", await loadRunners(bench, loads), duration);
      const [plain, own, httpx] = series;
      if (plain === undefined || own === undefined || httpx === undefined) return;
      const [bare, check, stock] = [cpuMicros(plain), cpuMicros(own), cpuMicros(httpx)];
      // Only Linux says what a process costs.
      if (bare.length === 0) return;
      const title = "FastAPI, a route that asks latchkey, CPU";
      addFigure(results, { id: "fastapi-check", title }, "µs", check);
      addFigure(
        results,
        { id: "fastapi-plain", title: "  against one that does not" },
        "×",
        ratios(check, bare),
      );
      addFigure(
        results,
        { id: "fastapi-httpx", title: "  one that asks by httpx, against it" },
        "×",
        ratios(stock, check),
      );
    }),
};

function cpuMicros({ samples }: Series): number[] {
  return samples.flatMap((sample) => (sample.cpuMicros === null ? [] : [sample.cpuMicros]));
}
