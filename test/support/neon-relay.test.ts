import { SQL } from "bun";
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { neonConfig, Pool } from "@neondatabase/serverless";
import { type NeonRelay, startNeonRelay } from "./neon-relay.ts";
import { sharedPostgres } from "./postgres.ts";

setDefaultTimeout(60_000);

const { wsProxy, useSecureWebSocket, pipelineConnect } = neonConfig;
beforeAll(() => {
  neonConfig.useSecureWebSocket = false;
  neonConfig.pipelineConnect = false;
});
afterAll(() => Object.assign(neonConfig, { wsProxy, useSecureWebSocket, pipelineConnect }));

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function openPool(delayMs = 0): Promise<{ relay: NeonRelay; pool: Pool; url: string }> {
  const server = await sharedPostgres();
  const relay = await startNeonRelay({ delayMs });
  const url = await server.createDatabase();
  neonConfig.wsProxy = relay.proxyUrl().replace("ws://", "");
  const pool = new Pool({ connectionString: url, max: 2 });
  // A lost idle connection is an event here; without a listener it would end the process.
  pool.on("error", () => {});
  cleanups.push(() => relay.close());
  return { relay, pool, url };
}

describe("startNeonRelay", () => {
  test("lets Neon's driver in with SCRAM", async () => {
    const { pool } = await openPool();
    const { rows } = await pool.query("SELECT $1::int AS one, current_user::text AS role", [1]);
    expect(rows).toEqual([{ one: 1, role: "latchkey" }]);
    await pool.end();
  });

  test("passes a wrong password's refusal on", async () => {
    const { url } = await openPool();
    const wrong = new URL(url);
    wrong.password = "wrong";
    const pool = new Pool({ connectionString: wrong.href });
    expect(pool.query("SELECT 1")).rejects.toThrow("password authentication failed");
  });

  test("commits a transaction and rolls one back", async () => {
    const { pool } = await openPool();
    const client = await pool.connect();
    await client.query("CREATE TABLE mark (id integer)");
    await client.query("BEGIN");
    await client.query("INSERT INTO mark VALUES (1)");
    await client.query("COMMIT");
    await client.query("BEGIN");
    await client.query("INSERT INTO mark VALUES (2)");
    const others = await pool.query("SELECT id FROM mark ORDER BY id");
    await client.query("ROLLBACK");
    const after = await client.query("SELECT id FROM mark ORDER BY id");
    client.release();
    expect([others.rows, after.rows]).toEqual([[{ id: 1 }], [{ id: 1 }]]);
    await pool.end();
  });

  test.each([0, 6])("keeps large values whole, with %i ms of delay", async (delayMs) => {
    const { pool } = await openPool(delayMs);
    const text = Array.from({ length: 400_000 }, (_, index) => index % 10_000).join(" ");
    const { rows } = await pool.query("SELECT $1::text AS text", [text]);
    expect(rows[0]?.text === text).toBe(true);
    await pool.end();
  });

  test("adds its delay to a round trip", async () => {
    const { pool } = await openPool(40);
    await pool.query("SELECT 1");
    const started = performance.now();
    await pool.query("SELECT 1");
    expect(performance.now() - started).toBeGreaterThanOrEqual(39);
    await pool.end();
  });

  test("cuts connections, and lets new ones through", async () => {
    const { relay, pool } = await openPool();
    await pool.query("SELECT 1");
    const asleep = pool.query("SELECT pg_sleep(30)").then(
      () => "answered",
      () => "broken",
    );
    await Bun.sleep(50);
    relay.cut();
    expect(await asleep).toBe("broken");
    expect((await pool.query("SELECT 3 AS three")).rows).toEqual([{ three: 3 }]);
    await pool.end();
  });

  test("lets nothing through while stalled, then everything", async () => {
    const { relay, pool } = await openPool();
    await pool.query("SELECT 1");
    relay.stall(true);
    let answered = false;
    const answer = pool.query("SELECT 7 AS seven").then(({ rows }) => {
      answered = true;
      return rows;
    });
    await Bun.sleep(100);
    expect(answered).toBe(false);
    relay.stall(false);
    expect(await answer).toEqual([{ seven: 7 }]);
    await pool.end();
  });

  test("closes the driver's connection when the server goes", async () => {
    const { pool, url } = await openPool();
    const server = await sharedPostgres();
    const asleep = pool.query("SELECT pg_sleep(30)").then(
      () => "answered",
      () => "broken",
    );
    const outside = new SQL(server.url("postgres"), { max: 1 });
    const name = new URL(url).pathname.slice(1);
    const sleeping = () =>
      outside`SELECT 1 FROM pg_stat_activity WHERE datname = ${name} AND state = 'active' AND query LIKE '%pg_sleep%'`;
    while ((await sleeping()).length === 0) await Bun.sleep(5);
    await outside.close();
    await server.terminateBackends(name);
    expect(await asleep).toBe("broken");
    await pool.end();
  });

  test.each([
    ["example.com:5432", 403],
    ["127.0.0.1.example.com:5432", 403],
    ["10.0.0.1:5432", 403],
    ["127.0.0.1", 403],
    ["127.0.0.1:70000", 403],
    ["localhost:5432", 426],
  ])("answers a plain request for %s with %i", async (address, status) => {
    const { relay } = await openPool();
    const url = relay.proxyUrl().replace("ws:", "http:");
    const response = await fetch(`${url}?address=${encodeURIComponent(address)}`);
    expect(response.status).toBe(status);
  });
});
