import { Database } from "bun:sqlite";
import type { TestDatabase } from "./databases.ts";

/** The two did not wait at the same time: what came of them says nothing of their meeting. */
class NeverMet extends Error {}

/** How many rounds may go by without a meeting, on a machine that has other things to do. */
const missesMax = 5;

/** Has two meet so many times: a round in which they did not is tried anew, by others. */
export async function repeatMeeting(rounds: number, round: () => Promise<void>): Promise<void> {
  let misses = 0;
  for (let at = 0; at < rounds; at += 1) {
    try {
      await round();
    } catch (error) {
      if (!(error instanceof NeverMet) || ++misses > missesMax) throw error;
      at -= 1;
    }
  }
}

/** Lets two that change one account meet at the first write of both, each having read what it acts on; within `repeatMeeting`. */
export async function meetAtWrite<First, Second>(
  database: TestDatabase,
  first: () => Promise<First>,
  second: () => Promise<Second>,
): Promise<readonly [First, Second]> {
  const release = await hold(database);
  const both = Promise.all([first(), second()]);
  const didMeet = await bothWait(database).finally(release);
  const results = await both;
  if (!didMeet) throw new NeverMet("one of the two never waited");
  return results;
}

/** Keeps everybody from writing. @returns what lets them. */
async function hold(database: TestDatabase): Promise<() => Promise<void>> {
  if (database.dialect === "sqlite") {
    const holder = new Database(database.url.slice("file:".length));
    holder.run("BEGIN IMMEDIATE");
    return async () => {
      holder.run("COMMIT");
      holder.close();
    };
  }
  await database.query("BEGIN");
  await database.query('LOCK TABLE "user" IN EXCLUSIVE MODE');
  return async () => void (await database.query("COMMIT"));
}

async function bothWait(database: TestDatabase): Promise<boolean> {
  // Nobody can be asked who waits for a SQLite file; a command takes 60 ms until it does.
  if (database.dialect === "sqlite") {
    await Bun.sleep(400);
    return true;
  }
  const waiting =
    "SELECT count(DISTINCT pid) AS n FROM pg_locks WHERE NOT granted AND database = " +
    "(SELECT oid FROM pg_database WHERE datname = current_database())";
  for (let tried = 0; tried < 150; tried += 1) {
    if (Number((await database.query(waiting))[0]?.["n"]) >= 2) return true;
    await Bun.sleep(10);
  }
  return false;
}
