import { attempt, type Bench, withOpened, type Workload } from "../bench.ts";
import { openPostgresStore, openSqliteStore, type Store } from "./stores.ts";
import { measureLists, measureMigration, measureSignIn, measureStart, measureSweep } from "./tasks.ts";
import { verifyPostgres, verifySqlite } from "./verify.ts";

/** Each seeds a store of ten million sessions once. What writes wakes the sweeper, so the sweep comes before the sign-ins. */
export const scaleWorkloads: readonly Workload[] = [
  { name: "postgres", run: (bench) => measureStore(bench, openPostgresStore, verifyPostgres) },
  { name: "sqlite", run: (bench) => measureStore(bench, openSqliteStore, verifySqlite) },
];

async function measureStore(
  bench: Bench,
  open: (bench: Bench) => Promise<Store>,
  verify: (bench: Bench, store: Store) => Promise<void>,
): Promise<void> {
  await withOpened(async (opened) => {
    const store = opened(await open(bench), (it) => it.close());
    const parts = {
      start: measureStart,
      verify,
      lists: measureLists,
      sweep: measureSweep,
      "sign-in": measureSignIn,
      migration: measureMigration,
    };
    for (const [part, run] of Object.entries(parts))
      await attempt(bench, `scale, ${store.database.driver}, ${part}`, () => run(bench, store));
  });
}
