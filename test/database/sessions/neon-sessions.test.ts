import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { neonConfig, Pool } from "@neondatabase/serverless";
import { openNeonSessions } from "../../../src/database/sessions/neon-sessions.ts";
import type { SessionStore } from "../../../src/database/sessions/store.ts";
import { openTestDatabase, type TestDatabase } from "../../support/databases.ts";
import { openMigrated } from "../../support/open-database.ts";

setDefaultTimeout(60_000);

/** Marks nothing, ends nothing. */
const noLate = { mark: (text: string) => text, cancel: () => {} };

let database: TestDatabase;
let pool: Pool;
let sessions: SessionStore;

beforeAll(async () => {
  database = await openTestDatabase("neon");
  const migrating = await openMigrated(database);
  await migrating.close();
  await database.query(`INSERT INTO "user" (id, name, email) VALUES ('u', 'Ü', 'u@example.com')`);
  await database.query(
    "INSERT INTO session (id, token, user_id, expires_at, created_at) VALUES ('s', 'a', 'u', '2026-01-02T03:04:05.678901Z', '2026-01-01T00:00:00.999999Z')",
  );
  // The driver keeps the proxy for the process.
  expect(neonConfig.useSecureWebSocket).toBe(false);
});
beforeEach(() => {
  pool = new Pool({ connectionString: database.url, max: 1 });
  sessions = openNeonSessions(pool, 6, noLate);
});
afterEach(() => sessions.close());
afterAll(() => database.close());

/** What the session that the pool's one connection has, has prepared. */
const prepared = async () => (await pool.query("SELECT name FROM pg_prepared_statements")).rowCount;

/** Connects as often as a pool of four may. */
async function fill(several: Pool): Promise<void> {
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      const client = await several.connect();
      await client.query("SELECT pg_sleep(0.05)");
      client.release();
    }),
  );
}

describe("openNeonSessions", () => {
  test("prepares its statement once, and reads instants cut to the millisecond", async () => {
    for (let round = 0; round < 3; round += 1) {
      expect(await sessions.find("a")).toMatchObject({
        id: "s",
        expiresAt: Date.parse("2026-01-02T03:04:05.678Z"),
        createdAt: Date.parse("2026-01-01T00:00:00.999Z"),
        user: { name: "Ü", emailVerified: false },
      });
      expect(await sessions.find("none")).toBeNull();
    }
    expect(await prepared()).toBe(1);
  });

  test("goes on when a column got another type, on every connection", async () => {
    const several = new Pool({ connectionString: database.url, max: 4 });
    await sessions.close();
    sessions = openNeonSessions(several, 6, noLate);
    // Two batches go out at once, each on a connection of its own.
    for (let round = 0; round < 4; round += 1) {
      const first = sessions.find("a");
      await new Promise((resolve) => setImmediate(resolve));
      await Promise.all([first, sessions.find("a")]);
    }
    expect(several.totalCount).toBeGreaterThan(1);
    await database.query(`ALTER TABLE "user" ALTER COLUMN name TYPE varchar(300)`);
    expect(await sessions.find("a")).toMatchObject({ user: { name: "Ü" } });
  });

  test("waits for no connection that is made while another one answers", async () => {
    const several = new Pool({ connectionString: database.url, max: 4, connectionTimeoutMillis: 2_000 });
    await sessions.close();
    sessions = openNeonSessions(several, 4, noLate);
    await sessions.find("a");
    database.network?.hang(true);
    try {
      let isWaiting = true;
      const first = sessions.find("a");
      // In a batch of its own, while the first is under way.
      await new Promise((resolve) => setImmediate(resolve));
      const second = Promise.resolve(sessions.find("a")).finally(() => (isWaiting = false));
      await first;
      for (let other = 0; other < 20; other += 1) await sessions.find("none");
      expect([isWaiting, several.totalCount]).toEqual([false, 2]);
      expect(await second).toMatchObject({ id: "s" });
    } finally {
      database.network?.hang(false);
    }
    // Once the one that hangs was given up, and there was a pause.
    while (several.idleCount < 2) {
      await Bun.sleep(20);
      const first = sessions.find("a");
      await new Promise((resolve) => setImmediate(resolve));
      await Promise.all([first, sessions.find("a")]);
    }
  });

  test("uses the other connections, once one was lost, for batches at once", async () => {
    const several = new Pool({ connectionString: database.url, max: 4 });
    await sessions.close();
    sessions = openNeonSessions(several, 4, noLate);
    await fill(several);
    database.network?.cutNext();
    expect(await sessions.find("a")).toMatchObject({ id: "s" });
    const total = several.totalCount;
    expect(total).toBe(3);
    database.network?.delay(300);
    try {
      const first = sessions.find("a");
      await new Promise((resolve) => setImmediate(resolve));
      const second = sessions.find("a");
      await Bun.sleep(50);
      expect(total - several.idleCount).toBe(2);
      expect(await Promise.all([first, second])).toMatchObject([{ id: "s" }, { id: "s" }]);
    } finally {
      database.network?.delay(0);
    }
  });

  test("tries the other connections once one was late: what hangs with it is nobody's second", async () => {
    const several = new Pool({
      connectionString: database.url,
      max: 4,
      query_timeout: 900,
      idleTimeoutMillis: 60_000,
    });
    await sessions.close();
    sessions = openNeonSessions(several, 6, noLate);
    await fill(several);
    expect(several.totalCount).toBe(4);
    database.network?.stall(true);
    try {
      expect(await Promise.resolve(sessions.find("a")).catch(() => "late")).toBe("late");
      while (several.totalCount > 0) await Bun.sleep(20);
    } finally {
      database.network?.stall(false);
    }
    expect(await sessions.find("a")).toMatchObject({ id: "s" });
  });

  test("goes on without prepared statements where a pooler does not keep them", async () => {
    expect(await sessions.find("a")).toMatchObject({ id: "s" });
    expect(await prepared()).toBe(1);
    await pool.query("DISCARD ALL");
    expect(await sessions.find("a")).toMatchObject({ id: "s" });
    expect(await sessions.find("none")).toBeNull();
    expect(await prepared()).toBe(0);
  });
});
