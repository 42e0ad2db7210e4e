import { Database } from "bun:sqlite";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { catchStale, lanes, secret } from "../support/staleness.ts";
import { workersOf } from "../support/workers.ts";

setDefaultTimeout(600_000);

/** 10,000 in `bun run test:long`. */
const interleavings = Number(process.env["LATCHKEY_TEST_INTERLEAVINGS"] ?? 1_500);
/** By number, not by time, so that a slow machine sees as many. */
const interleavingsPerKill = 150;

/** Two executables on one database. */
async function openPair(database: TestDatabase) {
  const env = { ...database.env, BETTER_AUTH_SECRET: secret };
  const [writer, reader] = [await spawnLatchkey({ env }), await spawnLatchkey({ env })];
  return { env, writer, reader };
}

describe.each(dialects)(
  "S30: what one process changed, the other never shows as it was, on %s",
  (dialect) => {
    test(`${interleavings} interleavings, with checkpoints, VACUUM and kills of the writer`, async () => {
      const database = await openTestDatabase(dialect);
      const pair = await openPair(database);
      let writer: RunningLatchkey = pair.writer;
      let kills = 0;
      const killWriter = async () => {
        if (dialect === "sqlite") maintain(database.url.slice("file:".length), kills);
        else await database.query(kills % 5 === 4 ? "VACUUM FULL session" : "CHECKPOINT").catch(() => {});
        const old = writer;
        writer = await spawnLatchkey({ env: pair.env });
        await old.kill();
        kills += 1;
      };
      let killed = Promise.resolve();
      /** Delays one lane, one kill at a time; the others go on meanwhile. */
      const disturb = async (begun: number) => {
        if (begun === 0 || begun % interleavingsPerKill !== 0) return;
        killed = killed.then(killWriter);
        await killed;
      };
      const report = await catchStale({
        database,
        writer: () => writer.url,
        reader: pair.reader.url,
        count: interleavings,
        pipelined: dialect === "sqlite",
        prefix: "e",
        onProgress: disturb,
      });
      console.log(`${dialect}: ${JSON.stringify({ ...report, stale: report.stale.length, kills })}`);
      expect(report.stale).toEqual([]);
      expect(report.checked + report.unanswered).toBe(interleavings);
      // Nothing goes unanswered but what a kill of the writer cut off.
      expect(report.unanswered + report.unavailable).toBeLessThanOrEqual(kills * lanes);
      expect(kills).toBe(Math.ceil(interleavings / interleavingsPerKill) - 1);
      await Promise.all([writer.stop(), pair.reader.stop()]);
      await database.close();
    });
  },
);

describe.each(dialects)("S30: what one worker changed, no worker shows as it was, on %s", (dialect) => {
  const count = interleavings > 1_500 ? interleavings : 600;
  test(`${count} interleavings over four workers, with kills and rolling restarts`, async () => {
    const database = await openTestDatabase(dialect);
    const env = { ...database.env, BETTER_AUTH_SECRET: secret, LATCHKEY_WORKERS: "4" };
    const server = await spawnLatchkey({ env });
    let disturbances = 0;
    /** Every second time a kill, every second time a rolling restart; resolves once there are four again. */
    const disturbWorkers = async () => {
      const before = workersOf(server.pid);
      const isKill = disturbances % 2 === 0;
      disturbances += 1;
      const [victim = 0] = before.slice(disturbances % before.length);
      if (dialect === "sqlite") maintain(database.url.slice("file:".length), disturbances);
      if (isKill) process.kill(victim, "SIGKILL");
      else process.kill(server.pid, "SIGHUP");
      const isOver = (now: readonly number[]) =>
        now.length === before.length && !now.some((pid) => (isKill ? pid === victim : before.includes(pid)));
      while (!isOver(workersOf(server.pid))) await Bun.sleep(20);
    };
    let disturbed = Promise.resolve();
    const report = await catchStale({
      database,
      writer: () => server.url,
      reader: server.url,
      count,
      pipelined: dialect === "sqlite",
      workers: true,
      prefix: "w",
      onProgress: async (begun) => {
        if (begun === 0 || begun % interleavingsPerKill !== 0) return;
        disturbed = disturbed.then(disturbWorkers);
        await disturbed;
      },
    });
    console.log(`${dialect}: ${JSON.stringify({ ...report, stale: report.stale.length, disturbances })}`);
    expect(report.stale).toEqual([]);
    expect(report.checked + report.unanswered).toBe(count);
    expect(report.unanswered + report.unavailable).toBeLessThanOrEqual(disturbances * lanes);
    // Those of the start, and those that came for them.
    expect(report.processes).toBeGreaterThan(4);
    expect(await server.stop()).toBe(0);
    await database.close();
  });
});

test("the same test catches a cache that is 100 ms old", async () => {
  const database = await openTestDatabase("sqlite");
  const { writer, reader } = await openPair(database);
  const cache = new Map<
    string,
    { readonly at: number; readonly answer: Promise<{ body: string; status: number }> }
  >();
  const proxy = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const cookie = request.headers.get("cookie") ?? "";
      const key = `${pathname} ${cookie}`;
      let entry = cache.get(key);
      if (entry === undefined || performance.now() - entry.at > 100) {
        const answer = fetch(reader.url + pathname, { headers: { cookie } }).then(async (response) => ({
          body: await response.text(),
          status: response.status,
        }));
        entry = { at: performance.now(), answer };
        cache.set(key, entry);
      }
      const { body, status } = await entry.answer;
      return new Response(body, { status });
    },
  });
  const report = await catchStale({
    database,
    writer: () => writer.url,
    reader: `http://127.0.0.1:${proxy.port}`,
    count: 200,
    pipelined: false,
    prefix: "n",
  });
  expect(report.stale.length).toBeGreaterThan(20);
  await proxy.stop(true);
  await Promise.all([writer.stop(), reader.stop()]);
  await database.close();
});

/** What an operator or a backup does to the file from outside. */
function maintain(path: string, round: number): void {
  const outside = new Database(path, { readwrite: true, create: false });
  try {
    outside.run("PRAGMA busy_timeout = 1000");
    outside.run(
      round % 5 === 4 ? "VACUUM" : `PRAGMA wal_checkpoint(${round % 2 === 0 ? "TRUNCATE" : "RESTART"})`,
    );
  } catch {
    // Busy: the next round will do.
  } finally {
    outside.close();
  }
}
