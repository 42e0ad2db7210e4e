import { type Bench, withOpened, type Workload } from "../bench.ts";
import { addRatio } from "../report/results.ts";
import { argon2idHash, scryptHash } from "../seed/password-hash.ts";
import { password } from "../seed/sessions.ts";
import { signIns, trustGenerator } from "../seed/sign-ins.ts";
import { openSqlite } from "../targets/databases.ts";
import { startLatchkey } from "../targets/latchkey.ts";
import { startPasswords } from "../targets/passwords.ts";
import { startStock } from "../targets/stock.ts";
import { interleave, loadRunners } from "./interleave.ts";

const population = { users: 1_000, sessions: 1_000 };
const connections = 8;

/** What latchkey hashes at once while nothing else is asked of it: one a core. */
function hashConcurrency({ cores }: Pick<Bench, "cores">): number {
  return cores?.count ?? navigator.hardwareConcurrency;
}

/** Sign-in on SQLite against bare password verification at the same concurrency; neither is pinned, as both have threads. */
export const signIn: Workload = {
  name: "sign-in",
  run: (bench) =>
    withOpened(async (opened) => {
      const { executables, cores, results, scale } = bench;
      const concurrency = hashConcurrency(bench);
      const database = opened(await openSqlite(executables, population), (it) => it.close());
      const stockDatabase = opened(await openSqlite(executables, population, scryptHash), (it) => it.close());
      const env = trustGenerator;
      const latchkey = opened(await startLatchkey({ ...bench, database, on: "all", env }), (it) => it.stop());
      const stock = opened(await startStock({ ...bench, database: stockDatabase, on: "all" }), (it) =>
        it.stop(),
      );
      const hash = await argon2idHash();
      const passwords = opened(
        await startPasswords({ executables, cores, hash, password, concurrency }),
        (it) => it.stop(),
      );
      const requests = signIns(population.users);
      const loads = [latchkey, stock].map((target) => ({ target, requests, connections }));
      const runners = [...(await loadRunners(bench, loads)), passwords.runner];
      const duration = { warmUpMs: 500, measureMs: scale.measureMs * 3 };
      const [own, most, least] = await interleave(bench, "sign-in, sqlite", runners, duration);
      if (own === undefined || most === undefined || least === undefined) return;
      const against = "against bare Bun.password.verify";
      addRatio(results, { id: "sign-in-bare", title: `sign-in, sqlite, ${against}` }, own, least);
      addRatio(results, { id: "sign-in-stock", title: "sign-in, sqlite, against stock" }, own, most);
    }),
};
