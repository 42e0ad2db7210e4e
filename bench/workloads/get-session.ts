import { type Bench, withOpened, type Workload } from "../bench.ts";
import { type RequestSet, writeRequests } from "../load/requests.ts";
import { addRatio } from "../report/results.ts";
import { sessionRequests } from "../seed/sessions.ts";
import { ask, startBare } from "../targets/bare.ts";
import { openPostgres, openSqlite, type SeededDatabase } from "../targets/databases.ts";
import { startLatchkey } from "../targets/latchkey.ts";
import { startStock } from "../targets/stock.ts";
import type { Target } from "../targets/target.ts";
import { interleave, loadRunners } from "./interleave.ts";

const path = "/api/auth/get-session";
const population = { users: 10_000, sessions: 10_000 };
const connections = 64;

/** get-session in rotation: latchkey, a bare server and stock BetterAuth, the last on latchkey's database. */
export const getSession: Workload = {
  name: "get-session",
  run: async (bench) => {
    const requests = writeRequests(sessionRequests(path, population.sessions), 200);
    for (const open of [openSqlite, openPostgres]) {
      await withOpened(async (opened) => {
        const database = opened(await open(bench.executables, population), (it) => it.close());
        await measureOn(bench, database, requests);
      });
    }
  },
};

async function measureOn(bench: Bench, database: SeededDatabase, requests: RequestSet): Promise<void> {
  await withOpened(async (opened) => {
    const latchkey = opened(await startLatchkey({ ...bench, database }), (it) => it.stop());
    const stock = opened(await startStock({ ...bench, database }), (it) => it.stop());
    const bare = opened(await startBare(bench, latchkey, requests.first), (it) => it.stop());
    await requireSameBody(requests, [latchkey, stock]);
    const loads = [
      { target: latchkey, requests, connections, prime: population.sessions },
      { target: bare, requests, connections },
      { target: stock, requests, connections },
    ];
    const title = `get-session, ${database.driver}, 10,000 in rotation`;
    const [own, least, most] = await interleave(bench, title, await loadRunners(bench, loads));
    if (own === undefined || least === undefined || most === undefined) return;
    const suffix = database.driver === "sqlite" ? "" : `-${database.driver}`;
    const { results } = bench;
    addRatio(results, { id: `get-session-bare${suffix}`, title: `${title}, against bare` }, own, least);
    addRatio(results, { id: `get-session-stock${suffix}`, title: `${title}, against stock` }, own, most);
    addRatio(results, { id: `stock-bare${suffix}`, title: "  stock, against bare" }, most, least);
  });
}

/** @throws unless every target gives the same session, byte for byte. */
async function requireSameBody({ first }: RequestSet, targets: readonly Target[]): Promise<void> {
  const bodies = await Promise.all(targets.map(async ({ url }) => (await ask(url, first)).body));
  if (new Set(bodies).size > 1) throw new Error(`different answers to ${first.path}:\n${bodies.join("\n")}`);
}
