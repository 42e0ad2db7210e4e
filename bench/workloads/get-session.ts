import { type Bench, type Workload, withOpened } from "../bench.ts";
import { writeRequests } from "../load/requests.ts";
import { addRatio } from "../report/results.ts";
import { sessionRequests } from "../seed/sessions.ts";
import { startBare } from "../targets/bare.ts";
import { openSqlite } from "../targets/databases.ts";
import { startLatchkey } from "../targets/latchkey.ts";
import { startStock } from "../targets/stock.ts";
import { interleave, type RequestSet } from "./interleave.ts";

const path = "/api/auth/get-session";
const sessions = 10_000;
const connections = 64;

/** get-session in rotation on SQLite: latchkey, a bare server and stock BetterAuth, the last on the same file. */
export const getSession: Workload = {
  name: "get-session",
  run: (bench) =>
    withOpened(async (opened) => {
      const { cores, executables } = bench;
      const database = opened(await openSqlite(executables, { users: sessions, sessions }), (it) =>
        it.close(),
      );
      const shared = { executables, database, cores };
      const latchkey = opened(await startLatchkey(shared), (it) => it.stop());
      const stock = opened(await startStock(shared), (it) => it.stop());
      const requests = getSessionRequests();
      const bare = opened(await startBare(bench, latchkey, requests.first), (it) => it.stop());
      const targets = [latchkey, bare, stock];
      const entrants = targets.map((target) => ({ target, requests, connections }));
      addRatios(bench, await interleave(bench, "get-session, 10,000 sessions in rotation", entrants));
    }),
};

function getSessionRequests(): RequestSet {
  const requests = sessionRequests(path, sessions);
  return { file: writeRequests("get-session", requests), first: requests[0] ?? { path }, status: 200 };
}

function addRatios(
  { results }: Bench,
  [latchkey, bare, stock]: readonly Parameters<typeof addRatio>[2][],
): void {
  if (latchkey === undefined || bare === undefined || stock === undefined) return;
  addRatio(results, { id: "get-session-bare", title: "get-session, sqlite, against bare" }, latchkey, bare);
  addRatio(
    results,
    { id: "get-session-stock", title: "get-session, sqlite, against stock" },
    latchkey,
    stock,
  );
}
