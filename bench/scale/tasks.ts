import { Database } from "bun:sqlite";
import { SQL } from "bun";
import { runLatchkey, spawnLatchkey } from "../../test/support/executable.ts";
import { type Bench, withOpened } from "../bench.ts";
import type { LoadResult, LoadSpec } from "../load/protocol.ts";
import { addFigure } from "../report/results.ts";
import { signIns, trustGenerator } from "../seed/sign-ins.ts";
import type { SeededDatabase } from "../targets/databases.ts";
import { startLatchkey } from "../targets/latchkey.ts";
import { loadSpec, runChecked } from "../workloads/interleave.ts";
import { spreadRequests, type Store } from "./stores.ts";

/** From spawning to the first 200 of `/health`, the schema looked at. */
export async function measureStart(bench: Bench, { database }: Store): Promise<void> {
  const taken: number[] = [];
  for (let time = 0; time < (bench.options.quick ? 2 : 5); time += 1)
    taken.push(await startMs(bench, database));
  const title = `${database.driver}, a start, to the first 200 of /health`;
  addFigure(bench.results, { id: `scale-start-${database.driver}`, title }, "ms", taken);
}

async function startMs(bench: Bench, database: SeededDatabase): Promise<number> {
  const startedAt = performance.now();
  const target = await startLatchkey({ ...bench, database });
  while (!(await fetch(`${target.url}/health`)).ok) await Bun.sleep(1);
  const taken = performance.now() - startedAt;
  await target.stop();
  return taken;
}

/** Somebody's sessions by the API, and the first page of all users by the command. */
export async function measureLists(bench: Bench, store: Store): Promise<void> {
  const { driver, env } = store.database;
  await withOpened(async (opened) => {
    const target = opened(await startLatchkey({ ...bench, database: store.database }), (it) => it.stop());
    // Of users none of whose sessions has ended: all lists are equally long.
    const { users, ended = 0 } = store.population;
    const population = { users, sessions: users - ended };
    const requests = spreadRequests("/api/auth/list-sessions", population, 10_000);
    await measureRequests(bench, store, {
      id: `list-${driver}`,
      title: `${driver}, list-sessions of one of ten sessions`,
      load: await loadSpec({ target, requests, connections: 8 }),
    });
  });
  const executable = await bench.executables("latchkey");
  const taken: number[] = [];
  for (let time = 0; time < 3; time += 1) {
    const startedAt = performance.now();
    const { exitCode, stderr } = await runLatchkey(["users", "list"], { executable, env });
    if (exitCode !== 0) throw new Error(`latchkey users list: ${stderr}`);
    taken.push(performance.now() - startedAt);
  }
  addFigure(
    bench.results,
    { id: `scale-users-${driver}`, title: `${driver}, latchkey users list, the command` },
    "ms",
    taken,
  );
}

/** Sign-ins one after the other: nearly all of it is the hash. */
export async function measureSignIn(bench: Bench, store: Store): Promise<void> {
  const { driver } = store.database;
  await withOpened(async (opened) => {
    const target = opened(
      await startLatchkey({ ...bench, database: store.database, env: trustGenerator }),
      (it) => it.stop(),
    );
    const requests = signIns(Math.min(10_000, store.population.users));
    await measureRequests(bench, store, {
      id: `sign-in-${driver}`,
      title: `${driver}, sign-in`,
      load: await loadSpec({ target, requests, connections: 1 }),
    });
  });
}

async function measureRequests(
  { generator, scale, results, tell }: Bench,
  { server }: Store,
  { id, title, load }: { id: string; title: string; load: Omit<LoadSpec, "until"> },
): Promise<void> {
  tell(`scale, ${title}`);
  const found: LoadResult[] = [];
  for (let round = 0; round < Math.min(3, scale.rounds); round += 1) {
    found.push(
      await runChecked(generator, title, {
        ...load,
        ...(server === null ? {} : { databasePid: server.pid }),
        until: { warmUpMs: scale.warmUpMs, measureMs: 2 * scale.measureMs },
      }),
    );
  }
  const per = (pick: (one: LoadResult) => number | null) =>
    found.map((one) => (pick(one) ?? Number.NaN) / one.answers);
  const latchkey = per(({ serverCpuMicros }) => serverCpuMicros);
  addFigure(results, { id: `scale-${id}`, title: `${title}: CPU of latchkey a request` }, "µs", latchkey);
  if (server !== null) {
    const database = per(({ databaseCpuMicros }) => databaseCpuMicros);
    addFigure(results, { id: `scale-${id}-database`, title: "  of PostgreSQL" }, "µs", database);
  }
  const p50 = found.map((one) => one.p50Ms);
  addFigure(results, { id: `scale-${id}-p50`, title: "  p50" }, "ms", p50);
}

const pacedPerSecond = 1_000;
const sweepAtMostMs = 180_000;

/** One sweep of all that has ended, and verify meanwhile. */
export async function measureSweep(bench: Bench, store: Store): Promise<void> {
  const { generator, scale, results, tell } = bench;
  const { database, population } = store;
  const { driver } = database;
  tell(`scale, ${driver}, sweep`);
  await withOpened(async (opened) => {
    const target = opened(await startLatchkey({ ...bench, database, env: trustGenerator }), (it) =>
      it.stop(),
    );
    const count = opened(openEndedCount(database), (it) => it.close());
    const verify = await loadSpec({
      target,
      requests: spreadRequests("/api/auth/verify", population),
      connections: 64,
    });
    const chunk = { warmUpMs: 0, measureMs: scale.measureMs } as const;
    const load = { ...verify, pace: pacedPerSecond, isRandom: true };
    const measure = async () => (await runChecked(generator, "verify", { ...load, until: chunk })).p99Ms;
    await measure();
    const idle = [await measure(), await measure(), await measure()];
    const before = await count.read();
    if (before === 0) throw new Error("there is nothing to sweep");
    // What writes wakes the sweeper, which begins ten seconds later.
    const one = await loadSpec({ target, requests: signIns(1), connections: 1 });
    await runChecked(generator, "a sign-in", { ...one, until: { requests: 1 } });
    const deadline = performance.now() + sweepAtMostMs;
    while ((await count.read()) === before && performance.now() < deadline) await Bun.sleep(20);
    const startedAt = performance.now();
    const from = await count.read();
    const during: number[] = [];
    let left = from;
    while (left > 0 && performance.now() < deadline) {
      during.push(await measure());
      left = await count.read();
    }
    const seconds = (performance.now() - startedAt) / 1000;
    const swept = (from - left) / seconds;
    const title = `${driver}, sweep of ${population.ended?.toLocaleString("en-US")} ended sessions: rows deleted`;
    addFigure(results, { id: `scale-sweep-${driver}`, title }, "/s", [swept]);
    addFigure(results, { id: `scale-sweep-left-${driver}`, title: "  left after three minutes" }, "", [left]);
    const [alone, beside] = [`scale-sweep-idle-${driver}`, `scale-sweep-p99-${driver}`];
    addFigure(results, { id: alone, title: "  verify's p99 before, at 1,000/s" }, "ms", idle);
    addFigure(results, { id: beside, title: "  verify's p99 meanwhile" }, "ms", during);
  });
}

interface EndedCount {
  readonly read: () => Promise<number>;
  readonly close: () => Promise<void>;
}

/** Counts sessions that have ended, by their index. */
function openEndedCount({ driver, url }: SeededDatabase): EndedCount {
  if (driver === "sqlite") {
    const sqlite = new Database(url.slice("file:".length), { readonly: true });
    const query = sqlite.query<{ n: number }, [number]>(
      "SELECT count(*) AS n FROM session WHERE expires_at < ?",
    );
    return {
      read: async () => query.get(Date.now())?.n ?? 0,
      close: async () => sqlite.close(),
    };
  }
  const sql = new SQL(url, { max: 1 });
  return {
    async read() {
      const [row]: { n: string }[] = await sql`SELECT count(*) AS n FROM session WHERE expires_at < now()`;
      return Number(row?.n);
    },
    close: () => sql.close(),
  };
}

const migrateTimeoutMs = 10 * 60_000;

/** A start that makes the indexes and tables which came after the first version of the schema. */
export async function measureMigration(bench: Bench, { database }: Store): Promise<void> {
  const { driver, url, env } = database;
  bench.tell(`scale, ${driver}, migration`);
  await undoMigrations(driver, url);
  const executable = await bench.executables("latchkey");
  const startedAt = performance.now();
  const running = await spawnLatchkey({ executable, env, readyTimeoutMs: migrateTimeoutMs });
  const seconds = (performance.now() - startedAt) / 1000;
  await running.stop();
  const title = `${driver}, seconds of a start that applies all migrations but the first`;
  addFigure(bench.results, { id: `scale-migrate-${driver}`, title }, "", [seconds]);
}

const later = [
  "DROP INDEX account_provider_account_uidx",
  "DROP INDEX session_expires_at_idx",
  "DROP INDEX account_foreign_hash_idx",
  "DROP TABLE latchkey_limit",
  "DROP TABLE latchkey_lock",
  "DELETE FROM latchkey_migration WHERE tag > '0000_init'",
];
const triggers = ["session", "user"].flatMap((table) =>
  ["insert", "update", "delete"].map((change) => `DROP TRIGGER session_change_${table}_${change}`),
);

async function undoMigrations(driver: SeededDatabase["driver"], url: string): Promise<void> {
  if (driver === "sqlite") {
    const sqlite = new Database(url.slice("file:".length), { readwrite: true, create: false });
    for (const statement of [...triggers, "DROP TABLE session_change", ...later]) sqlite.run(statement);
    sqlite.close();
    return;
  }
  const sql = new SQL(url, { max: 1 });
  for (const statement of later) await sql.unsafe(statement);
  await sql.close();
}
