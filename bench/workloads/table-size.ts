import { type Bench, withOpened, type Workload } from "../bench.ts";
import { writeRequests } from "../load/requests.ts";
import { addFigure, type Series } from "../report/results.ts";
import { ratios } from "../report/statistics.ts";
import { sessionRequests } from "../seed/sessions.ts";
import { signIns, trustGenerator } from "../seed/sign-ins.ts";
import { openPostgres, openSqlite } from "../targets/databases.ts";
import { startLatchkey } from "../targets/latchkey.ts";
import type { Target } from "../targets/target.ts";
import { interleave, loadRunners } from "./interleave.ts";

const few = { users: 1_000, sessions: 1_000 };

/** The same thousand sessions asked for, in a table that holds nothing else and in one with a million. */
export const tableSize: Workload = {
  name: "table-size",
  async run(bench) {
    for (const store of [openSqlite, openPostgres])
      await withOpened(async (opened) => {
        const many = bench.options.quick ? 100_000 : 1_000_000;
        const open = async (sessions: number): Promise<Target> => {
          const population = { users: Math.max(few.users, sessions / 10), sessions };
          const database = opened(await store(bench.executables, population), (it) => it.close());
          const target = await startLatchkey({ ...bench, database, env: trustGenerator });
          const name = `${sessions.toLocaleString("en-US")} sessions`;
          return opened({ ...target, name }, (it) => it.stop());
        };
        const small = await open(few.sessions);
        const large = await open(many);
        // The figures of SQLite, which came first, have no name of the database in their ids.
        const isSqlite = store === openSqlite;
        const [suffix, title] = isSqlite ? ["", ""] : ["-postgres", "PostgreSQL, "];
        await measureVerify(bench, small, large, suffix, title);
        await measureSignIn(bench, small, large, suffix, title);
      });
  },
};

async function measureVerify(
  bench: Bench,
  small: Target,
  large: Target,
  suffix: string,
  prefix: string,
): Promise<void> {
  const same = writeRequests(sessionRequests("/api/auth/verify", few.sessions), 200);
  const spread = writeRequests(sessionRequests("/api/auth/verify", 100_000), 200);
  const shared = { connections: 64, prime: few.sessions };
  const loads = [
    { ...shared, target: small, requests: same },
    { ...shared, target: large, requests: same },
    { ...shared, target: large, requests: spread, name: `${large.name}, 100,000 of them asked for` },
  ];
  const series = await interleave(bench, `${prefix}verify by table size`, await loadRunners(bench, loads));
  const [reference, grown, missing] = series;
  if (reference === undefined || grown === undefined || missing === undefined) return;
  const title = `${prefix}verify p50, ${large.name} against ${small.name}`;
  addP50Ratio(bench, `table-verify${suffix}`, title, grown, reference);
  addP50Ratio(bench, `table-verify-spread${suffix}`, "  with 100,000 of them asked for", missing, reference);
}

async function measureSignIn(
  bench: Bench,
  small: Target,
  large: Target,
  suffix: string,
  prefix: string,
): Promise<void> {
  const requests = signIns(few.users);
  const loads = [small, large].map((target) => ({ target, requests, connections: 1 }));
  const duration = { warmUpMs: bench.scale.warmUpMs, measureMs: bench.scale.measureMs * 2 };
  const runners = await loadRunners(bench, loads);
  const [reference, grown] = await interleave(bench, `${prefix}sign-in by table size`, runners, duration);
  if (reference === undefined || grown === undefined) return;
  const title = `${prefix}sign-in p50, ${large.name} against ${small.name}`;
  addP50Ratio(bench, `table-sign-in${suffix}`, title, grown, reference);
}

function addP50Ratio({ results }: Bench, id: string, title: string, series: Series, against: Series): void {
  const p50 = ({ samples }: Series) => samples.map((sample) => sample.p50Ms);
  addFigure(results, { id, title }, "×", ratios(p50(series), p50(against)));
}
