import { type Workload, withOpened } from "../bench.ts";
import { writeRequests } from "../load/requests.ts";
import { addFigure } from "../report/results.ts";
import { chanceBelow, median } from "../report/statistics.ts";
import { emailOf } from "../seed/sessions.ts";
import { signIn, trustGenerator } from "../seed/sign-ins.ts";
import { openSqlite } from "../targets/databases.ts";
import { startLatchkey } from "../targets/latchkey.ts";
import { loadSpec, runChecked } from "./interleave.ts";

const blocks = 5;
/** Fewer pairs on a machine that is too slow for all of them. */
const atMostMs = 120_000;

/** Whether time tells who has an account: an unknown e-mail against a wrong password, in turn on one connection. */
export const timing: Workload = {
  name: "timing",
  run: (bench) =>
    withOpened(async (opened) => {
      const pairs = bench.options.quick ? 50 : 500;
      const database = opened(await openSqlite(bench.executables, { users: pairs, sessions: pairs }), (it) =>
        it.close(),
      );
      const target = opened(
        await startLatchkey({ ...bench, database, on: "all", env: trustGenerator }),
        (it) => it.stop(),
      );
      // Unknown ones are as long as known ones, and equally many.
      const requests = Array.from({ length: pairs }, (_, index) => [
        signIn(emailOf(pairs + index), "wrong horse battery staple", 2 * index),
        signIn(emailOf(index), "wrong horse battery staple", 2 * index + 1),
      ]).flat();
      const load = await loadSpec({ target, requests: writeRequests(requests, 401), connections: 1 });
      const spec = { ...load, until: { requests: requests.length, atMostMs }, keepLatencies: true };
      const { latenciesMs = [] } = await runChecked(bench.generator, "timing", spec);
      addFigures(bench.results, latenciesMs);
    }),
};

/** By blocks, whose spread says how far to trust the medians. */
function addFigures(results: Parameters<typeof addFigure>[0], latenciesMs: readonly number[]): void {
  const length = Math.floor(latenciesMs.length / blocks / 2) * 2;
  const differences: number[] = [];
  const chances: number[] = [];
  for (let block = 0; block < blocks; block += 1) {
    const part = latenciesMs.slice(block * length, (block + 1) * length);
    const unknown = part.filter((_, index) => index % 2 === 0);
    const wrong = part.filter((_, index) => index % 2 === 1);
    differences.push((median(unknown) / median(wrong) - 1) * 100);
    chances.push(chanceBelow(unknown, wrong));
  }
  addFigure(
    results,
    { id: "timing", title: "unknown e-mail against wrong password, median time" },
    "%",
    differences,
  );
  addFigure(
    results,
    { id: "timing-auc", title: "  chance that the unknown one is faster (AUC; 0.5 is none)" },
    "",
    chances,
  );
}
