import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { metricsUrlOf, scrape } from "../support/metrics.ts";
import { askAnew, workersOf } from "../support/workers.ts";

setDefaultTimeout(60_000);

const token = "q0V8y3cXrJm5Zb1sTnGfWk7Hd2LpAe9RuYi4Ox6BzNE=";
const person = { email: "ann@example.com", password: "correct horse battery", name: "Ann" };
const verified = 'latchkey_verifications_total{outcome="no_credentials"}';

/** Over connections of their own, so that each worker gets some. */
async function ask(server: RunningLatchkey, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1)
    expect((await askAnew(`${server.url}/api/auth/verify`)).status).toBe(401);
}

const until = async (isSo: () => Promise<boolean> | boolean) => {
  while (!(await isSo())) await Bun.sleep(20);
};

describe.each(dialects)("the figures of three workers on %s", (dialect) => {
  test("are the sum, whoever answers, and stay so when workers are replaced or killed", async () => {
    const database = await openTestDatabase(dialect);
    const env = { ...database.env, LATCHKEY_WORKERS: "3", LATCHKEY_METRICS_LISTEN: "127.0.0.1:0" };
    const server = await spawnLatchkey({ env });
    const look = () => scrape(metricsUrlOf(server));
    expect((await createClient(server.origin).auth.signUp.email(person)).error).toBeNull();
    await ask(server, 60);
    const first = await look();
    expect([
      first.value(verified),
      first.value('latchkey_sign_ups_total{outcome="success"}'),
      first.value("latchkey_sessions_live"),
      first.value("latchkey_hash_line_waiting"),
      first.value("latchkey_workers_serving"),
      first.value("latchkey_workers_configured"),
    ]).toEqual([60, 1, 1, 0, 3, 3]);
    for (const process of ["supervisor", "worker-1", "worker-2", "worker-3"])
      expect(first.value(`process_resident_memory_bytes{process="${process}"}`)).toBeGreaterThan(1e7);

    // Replaced in turn: each says at its end what it had counted.
    await ask(server, 30);
    process.kill(server.pid, "SIGHUP");
    await until(() => server.logs().some(({ event }) => event === "restarted"));
    expect((await look()).value(verified)).toBe(90);

    // Killed: what was seen last stays, and no sum ever sinks.
    await ask(server, 30);
    expect((await look()).value(verified)).toBe(120);
    const [victim] = workersOf(server.pid);
    process.kill(victim ?? 0, "SIGKILL");
    await until(async () => (await look()).value("latchkey_workers_serving") === 2);
    expect((await look()).value(verified)).toBe(120);
    await until(async () => (await look()).value("latchkey_workers_serving") === 3);
    await ask(server, 10);
    expect((await look()).value(verified)).toBe(130);
    expect(await server.stop()).toBe(0);
    await database.close();
  });
});

test("each worker answers for all at the server's own port", async () => {
  const server = await spawnLatchkey({ env: { LATCHKEY_WORKERS: "3", LATCHKEY_METRICS_TOKEN: token } });
  await ask(server, 40);
  for (let at = 0; at < 20; at += 1) {
    const answer = await askAnew(`${server.url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    expect(await answer.text()).toContain(`${verified} 40\n`);
  }
  await server.stop();
});

test("a worker that is stuck keeps nobody from the figures", async () => {
  const env = { LATCHKEY_WORKERS: "2", LATCHKEY_METRICS_LISTEN: "127.0.0.1:0" };
  const server = await spawnLatchkey({ env });
  await ask(server, 20);
  const url = metricsUrlOf(server);
  expect((await scrape(url)).value(verified)).toBe(20);
  const [stuck] = workersOf(server.pid);
  process.kill(stuck ?? 0, "SIGSTOP");
  expect((await scrape(url)).value(verified)).toBe(20);
  process.kill(stuck ?? 0, "SIGCONT");
  await server.stop();
});
