import { attempt, type Bench, withOpened, type Workload } from "../bench.ts";
import { writeRequests, type RequestParts } from "../load/requests.ts";
import { addRatio } from "../report/results.ts";
import { sessionRequests } from "../seed/sessions.ts";
import { startBare } from "../targets/bare.ts";
import { openSqlite } from "../targets/databases.ts";
import { startLatchkey } from "../targets/latchkey.ts";
import type { Target } from "../targets/target.ts";
import { interleave, type RequestSet } from "./interleave.ts";

const path = "/api/auth/verify";
const connections = 64;

export const verify: Workload = {
  name: "verify",
  run: (bench) =>
    withOpened(async (opened) => {
      const { cores, executables } = bench;
      const sessions = 10_000;
      const database = opened(await openSqlite(executables, { users: sessions, sessions }), (it) =>
        it.close(),
      );
      const latchkey = opened(await startLatchkey({ executables, database, cores }), (it) => it.stop());
      for (const scenario of scenarios(sessions)) {
        await attempt(bench, `verify, ${scenario.title}`, () => runScenario(bench, scenario, latchkey));
      }
    }),
};

interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly requests: RequestSet;
}

function scenarios(sessions: number): Scenario[] {
  const rotation = sessionRequests(path, sessions);
  const [first = { path }] = rotation;
  return [
    { id: "one", title: "one session", requests: requestSet("one", [first]) },
    { id: "rotation", title: "10,000 sessions in rotation", requests: requestSet("rotation", rotation) },
  ];
}

function requestSet(name: string, requests: readonly RequestParts[]): RequestSet {
  return { file: writeRequests(name, requests), first: requests[0] ?? { path }, status: 200 };
}

async function runScenario(bench: Bench, { id, title, requests }: Scenario, latchkey: Target): Promise<void> {
  const bare = await startBare(bench, latchkey, requests.first);
  try {
    const [ours, theirs] = await interleave(bench, `verify, ${title}`, [
      { target: latchkey, requests, connections },
      { target: bare, requests, connections },
    ]);
    if (ours === undefined || theirs === undefined) return;
    addRatio(
      bench.results,
      { id: `verify-${id}-sqlite`, title: `verify, sqlite, ${title}, against bare` },
      ours,
      theirs,
    );
  } finally {
    await bare.stop();
  }
}
