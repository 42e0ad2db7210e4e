import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { SQL } from "bun";
import { audit, enrol, type Place, topUp } from "../support/crash-audit.ts";
import { anyMoment, type CrashLoad, createCrashLoad } from "../support/crash-load.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { openPage } from "../support/ledger.ts";
import { startPostgres } from "../support/postgres.ts";

/** How often latchkey is killed on SQLite; a quarter of that on a server, a tenth for the server itself. */
const cycles = Number(process.env["LATCHKEY_TEST_CRASH_CYCLES"] ?? 3);
const isLong = cycles > 100;

setDefaultTimeout(3_600_000);

const placeOf = (database: TestDatabase, { url }: RunningLatchkey): Place => ({
  database,
  secret: database.env["BETTER_AUTH_SECRET"] ?? "",
  url,
});

/** What a killed process had asked of a database server may still be done: until nobody is connected. */
async function untilNobodyIsConnected({ dialect, query }: TestDatabase): Promise<void> {
  if (dialect === "sqlite") return;
  const others =
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
  while ((await query(others)).length > 0) await Bun.sleep(2);
}

function report(name: string, { figures, wrong, pages }: CrashLoad): void {
  if (isLong) console.info(name, JSON.stringify({ ...figures, accounts: pages.length, wrong: wrong.length }));
}

describe.each(dialects)("S76, S77: latchkey on %s, killed under writes", (dialect) => {
  const times = dialect === "sqlite" ? cycles : Math.ceil(cycles / 4);

  test(`${times} times: what was acknowledged is there, and nothing is half-made`, async () => {
    const database = await openTestDatabase(dialect);
    const load = createCrashLoad();
    let server = await spawnLatchkey({ env: database.env });
    for (let cycle = 0; cycle < times && load.wrong.length === 0; cycle += 1) {
      await load.prepare(placeOf(database, server));
      await load.run(placeOf(database, server), {
        at: anyMoment(cycle),
        strike: () => process.kill(server.pid, "SIGKILL"),
      });
      expect(await server.exited).toBe(137);
      await untilNobodyIsConnected(database);
      server = await spawnLatchkey({ env: database.env });
      await load.check(placeOf(database, server));
    }
    await load.check(placeOf(database, server), "all");
    report(`crash of latchkey on ${dialect}`, load);
    expect(load.wrong).toEqual([]);
    expect(load.figures).toMatchObject({ crashes: times });
    expect(load.figures.acknowledged).toBeGreaterThanOrEqual(times / 2);
    expect(await server.stop()).toBe(0);
    await database.close();
  });
});

const serverTimes = Math.ceil(cycles / 10);

test.skipIf(!dialects.includes("postgres"))(
  `S72, S76: PostgreSQL itself, killed under writes ${serverTimes} times: what was acknowledged is there`,
  async () => {
    const postgres = await startPostgres();
    const url = await postgres.createDatabase();
    const env = { DATABASE_URL: url, BETTER_AUTH_SECRET: "0f1e2d3c4b5a69788796a5b4c3d2e1f0-AbCdEfGh" };
    // A connection each: the last one is dead.
    const query: TestDatabase["query"] = async (text, parameters = []) => {
      const sql = new SQL(url, { max: 1 });
      try {
        return [...(await sql.unsafe(text, [...parameters]))];
      } finally {
        await sql.close();
      }
    };
    const server = await spawnLatchkey({ env });
    const place = {
      database: { dialect: "postgres" as const, query },
      secret: env.BETTER_AUTH_SECRET,
      url: server.url,
    };
    const load = createCrashLoad();
    for (let cycle = 0; cycle < serverTimes && load.wrong.length === 0; cycle += 1) {
      await load.prepare(place);
      const halted = Promise.withResolvers<void>();
      await load.run(place, {
        at: anyMoment(cycle),
        strike: () => void postgres.halt("immediate").then(halted.resolve, halted.reject),
      });
      await halted.promise;
      await postgres.resume();
      while ((await fetch(`${server.url}/health`)).status !== 200) await Bun.sleep(20);
      await load.check(place);
    }
    await load.check(place, "all");
    report("crash of PostgreSQL", load);
    expect(load.wrong).toEqual([]);
    expect(load.figures).toMatchObject({ crashes: serverTimes });
    expect(await server.stop()).toBe(0);
    await postgres.stop();
  },
);

describe("the ledger finds", () => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase("sqlite");
    server = await spawnLatchkey({ env: database.env });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });
  const its = (table: string) => `${table} WHERE user_id = (SELECT id FROM "user" WHERE email = $1)`;
  const another = Bun.password.hashSync("somebody else's", {
    algorithm: "argon2id",
    memoryCost: 19_456,
    timeCost: 2,
  });

  test.each([
    ["a lost account", 'DELETE FROM "user" WHERE email = $1', "the account is lost"],
    ["lost sessions", `DELETE FROM ${its("session")}`, "sessions are lost"],
    ["a lost name", `UPDATE "user" SET name = 'Old' WHERE email = $1`, "the name is Old"],
    ["a lost password", `UPDATE ${its(`account SET password = '${another}'`)}`, "no password signs in"],
    ["half an account", `DELETE FROM ${its("account")}`, "a user without an account"],
    ["ended sessions that live", "SELECT $1", "ended sessions live"],
  ])("%s", async (_name, sql, expected) => {
    const place = placeOf(database, server);
    const page = openPage(`${crypto.randomUUID()}@example.com`);
    await enrol(page, place);
    await topUp(page, place, 3);
    expect(await audit(page, place, { done: 0, undone: 0 })).toEqual([]);
    await database.query(sql, [page.email]);
    if (expected.includes("ended")) page.told = { ...page.told, ended: page.told.live, live: [] };
    const found = await audit(page, place, { done: 0, undone: 0 });
    expect(found.join(", ")).toContain(expected);
  });
});
