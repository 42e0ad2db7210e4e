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

/** What latchkey hashes at once while much else is asked of it. Said aloud, so that both sides have the same. */
function hashConcurrency({ cores }: Pick<Bench, "cores">): number {
  return Math.max(1, (cores?.count ?? navigator.hardwareConcurrency) - 1);
}

/**
 * Sign-in on SQLite with latchkey's defaults against stock; and against bare password verification, with as many hashes at once on
 * both sides. Nothing is pinned, as all have threads.
 */
export const signIn: Workload = {
  name: "sign-in",
  run: (bench) =>
    withOpened(async (opened) => {
      const { executables, cores, results, scale } = bench;
      const concurrency = hashConcurrency(bench);
      const database = opened(await openSqlite(executables, population), (it) => it.close());
      const stockDatabase = opened(await openSqlite(executables, population, scryptHash), (it) => it.close());
      const start = async (env: Readonly<Record<string, string>>) =>
        opened(
          await startLatchkey({ ...bench, database, on: "all", env: { ...trustGenerator, ...env } }),
          (it) => it.stop(),
        );
      const latchkey = await start({});
      const limited = await start({ LATCHKEY_HASH_CONCURRENCY: String(concurrency) });
      const stock = opened(await startStock({ ...bench, database: stockDatabase, on: "all" }), (it) =>
        it.stop(),
      );
      const hash = await argon2idHash();
      const passwords = opened(
        await startPasswords({ executables, cores, hash, password, concurrency }),
        (it) => it.stop(),
      );
      const load = { requests: signIns(population.users), connections };
      const runners = [
        ...(await loadRunners(bench, [
          { ...load, target: latchkey },
          { ...load, target: stock },
          { ...load, target: limited, name: `${limited.name}, ${concurrency} at once` },
        ])),
        passwords.runner,
      ];
      const duration = { warmUpMs: 500, measureMs: scale.measureMs * 3 };
      const [own, most, fewer, least] = await interleave(bench, "sign-in, sqlite", runners, duration);
      if (own === undefined || most === undefined || fewer === undefined || least === undefined) return;
      const against = "against bare Bun.password.verify";
      addRatio(results, { id: "sign-in-stock", title: "sign-in, sqlite, against stock" }, own, most);
      addRatio(results, { id: "sign-in-bare", title: `sign-in, sqlite, ${against}` }, fewer, least);
    }),
};
