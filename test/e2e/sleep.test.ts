import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient, type TestClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";

const password = "correct horse battery";
const requestOrigin = "http://localhost:3000";

setDefaultTimeout(60_000);

const servers = dialects.filter((dialect) => dialect !== "sqlite");

describe.skipIf(servers.length === 0).each(servers)("A2: a %s database that slept", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  let member: TestClient;
  const email = "sleeper@example.com";
  const visitor = () => createClient(server.origin, { requestOrigin });
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({ env: database.env });
    member = visitor();
    await member.auth.signUp.email({ email, password, name: "Sleeper" });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  const routes = ["/api/auth/verify", "/api/auth/get-session", "/api/auth/session", "/api/auth/verify"];
  test.each([500, 1_500, 4_000])("and takes %i ms to wake keeps everybody waiting, none away", async (ms) => {
    database.network?.sleep(ms);
    const visits: Promise<number>[] = [];
    // Some come together, some while the first ones wait.
    for (let at = 0; at < 24; at += 1) {
      visits.push(
        member.fetch(routes[at % routes.length] ?? "").then(async (answer) => {
          await answer.arrayBuffer();
          return answer.status;
        }),
      );
      if (at >= 12) await Bun.sleep(ms / 20);
    }
    expect(await Promise.all(visits)).toEqual(Array(24).fill(200));
    // And one who has to wait for a connection of another pool.
    database.network?.sleep(Math.min(ms, 1_500));
    expect((await visitor().auth.signIn.email({ email, password })).error).toBeNull();
  });

  test("whose first new connections hang is asked on others, and nobody is sent away", async () => {
    database.network?.hang(true);
    database.network?.cut();
    const visits = routes.map((route) => member.fetch(route));
    await Bun.sleep(500);
    database.network?.hang(false);
    expect((await Promise.all(visits)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  test("and does not wake is 503 after 5 s, and after one second from then on", async () => {
    database.network?.sleep(12_000);
    const ask = async () => {
      const asked = performance.now();
      const { status } = await member.fetch("/api/auth/verify");
      return { status, ms: performance.now() - asked };
    };
    const first = await ask();
    expect(first.status).toBe(503);
    // Nobody waits the five seconds of the first again.
    expect(first.ms).toBeGreaterThan(4_500);
    const second = await ask();
    expect(second.status).toBe(503);
    expect(second.ms).toBeLessThan(4_000);
    database.network?.stall(false);
    for (let tries = 0; tries < 50 && (await ask()).status !== 200; tries += 1) await Bun.sleep(50);
    expect((await ask()).status).toBe(200);
  });
});
