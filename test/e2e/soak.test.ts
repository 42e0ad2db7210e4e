import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { createMixedLoad } from "../support/mixed-load.ts";
import { eventually, leastSquaresSlope, processFigures } from "../support/process-figures.ts";

/** How long a database's server is kept busy. */
const seconds = Number(process.env["LATCHKEY_TEST_SOAK_SECONDS"] ?? 2);
const isLong = seconds >= 60;
const lanes = 16;
/**
 * What a request may leave behind, and what the collector's ups and downs, of 30 MiB, may make of the line: 300,000
 * requests that leave 100 bytes each are found, a hundred that leave a megabyte each are, and 32 bytes never.
 */
const leakBytes = 32;
const noiseBytes = 16 * 1024 * 1024;

setDefaultTimeout(3_600_000);

describe.each(dialects.filter((dialect) => dialect !== "neon"))("S68, S69: mixed load on %s", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({ env: database.env });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  test(`for ${seconds} s: answers as it should, in the same memory, with the same descriptors`, async () => {
    const load = await createMixedLoad(database, server);
    const end = Date.now() + seconds * 1_000;
    const samples: { readonly requests: number; readonly rssBytes: number; readonly descriptors: number }[] =
      [];
    const everyMs = Math.max(100, (seconds * 1_000) / 600);
    const sampling = setInterval(
      () => samples.push({ requests: load.count(), ...processFigures(server.pid) }),
      everyMs,
    );
    await load.run(lanes, () => Date.now() >= end);
    clearInterval(sampling);
    expect(load.wrong.slice(0, 10)).toEqual([]);
    expect(load.count()).toBeGreaterThan(seconds * 10);
    expect(server.logs().filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);

    // By then the code is compiled, and what is kept in memory has come.
    const settled = samples.slice(Math.floor(samples.length / 3));
    const [first, last] = [settled[0], settled.at(-1)];
    const requests = (last?.requests ?? 0) - (first?.requests ?? 0);
    const bytesEach = leastSquaresSlope(settled.map((sample) => [sample.requests, sample.rssBytes]));
    const half = Math.floor(settled.length / 2);
    const most = (some: typeof settled) => Math.max(...some.map(({ descriptors }) => descriptors));
    const [earlier, later] = [most(settled.slice(0, half)), most(settled.slice(half))];
    if (isLong)
      console.info(
        `soak on ${dialect}`,
        JSON.stringify({
          requests: load.count(),
          bytesEach,
          kibPerSecond:
            leastSquaresSlope(settled.map(({ rssBytes }, at) => [(at * everyMs) / 1_000, rssBytes])) / 1024,
          rssMib: settled
            .filter((_, at) => at % 40 === 0)
            .map(({ rssBytes }) => Math.round(rssBytes / 2 ** 20)),
          descriptors: [earlier, later],
          answers: Object.fromEntries([...load.answers].toSorted()),
        }),
      );
    // A few seconds say nothing of memory.
    if (isLong) expect(bytesEach * requests).toBeLessThan(noiseBytes + leakBytes * requests);
    // A lane has one connection, those that hang up one more each for a moment.
    expect(later).toBeLessThanOrEqual(earlier + lanes);
    expect(await eventually(() => processFigures(server.pid).descriptors <= earlier, 10_000)).toBe(true);
  });
});
