import type { Database } from "../database/database.ts";
import { letOthersRun } from "../let-others-run.ts";

/** Rows at a time: SQLite works on the event loop's own thread, and a million of them take 30 ms. */
const sliceRows = 10_000;
/** How long a count is good for, however often somebody asks. */
const [goodOfFileMs, goodOfServerMs] = [15_000, 60_000];
/** What is not counted by then is there for whoever asks next. */
const patienceMs = 1_000;
/** Of a database that sleeps when nobody asks: longer than it takes to be idle, so that counting keeps none awake. */
const [goodOfSleeperMs, idleAfterMs] = [120_000, 60_000];

/**
 * Builds what counts the sessions that live; a database that sleeps is left alone.
 * @returns null while that is not known.
 */
export function createLiveSessions(database: Database, now: () => number): () => Promise<number | null> {
  let last: { readonly at: number; readonly count: Promise<number | null> } | undefined;
  const goodMs =
    database.driver === "sqlite"
      ? goodOfFileMs
      : database.idleMs === undefined
        ? goodOfServerMs
        : goodOfSleeperMs;
  return async () => {
    const isGood = last !== undefined && performance.now() - last.at <= goodMs;
    const isAsleep = (database.idleMs?.() ?? 0) > idleAfterMs;
    if (!isGood && !isAsleep) {
      const count = database.driver === "sqlite" ? countFile(database, now()) : countServer(database, now());
      // What fails is not known, and the database's other figures say why.
      last = { at: performance.now(), count: count.catch(() => null) };
    }
    const late = Bun.sleep(patienceMs).then(() => null);
    return last === undefined ? null : await Promise.race([last.count, late]);
  };
}

async function countFile(database: Database, now: number): Promise<number> {
  const beyond = "FROM session WHERE (expires_at, rowid) > (?, ?)";
  const nextText = `SELECT expires_at AS at, rowid AS id ${beyond} ORDER BY expires_at, rowid LIMIT 1 OFFSET ?`;
  let total = 0;
  for (let [at, id] = [now, Number.MAX_SAFE_INTEGER]; ; total += sliceRows) {
    const [next] = await database.read(nextText, [at, id, sliceRows - 1]);
    if (next === undefined) {
      const [rest] = await database.read(`SELECT count(*) AS n ${beyond}`, [at, id]);
      return total + Number(rest?.["n"] ?? 0);
    }
    [at, id] = [Number(next["at"]), Number(next["id"])];
    await letOthersRun();
  }
}

async function countServer(database: Database, now: number): Promise<number> {
  const text = "SELECT count(*) AS n FROM session WHERE expires_at > to_timestamp($1::float8 / 1000)";
  const [row] = await database.read(text, [now]);
  return Number(row?.["n"] ?? 0);
}
