import { expect, test } from "bun:test";
import { createSupervisor } from "../../src/workers/supervisor.ts";
import type { WorkerProcess } from "../../src/workers/worker-process.ts";

interface Fake {
  readonly lastAnswer?: () => number;
  readonly look?: WorkerProcess["look"];
}

const fakeWorker = (number: number, { lastAnswer = () => performance.now(), look }: Fake): WorkerProcess => ({
  pid: number,
  listening: Promise.resolve(),
  ended: new Promise(() => {}),
  ping: async () => {},
  lastAnswer,
  look: look ?? (async () => null),
  count: async () => null,
  lastFigures: () => ({}),
  certify: () => {},
  drain: async () => "drained",
  close: async () => {},
  kill: () => {},
});
const log = { info: () => {}, error: () => {} };

test("health asked a thousand times at once has each worker look once, and again later", async () => {
  let looks = 0;
  const look = (number: number) => async () => {
    looks += 1;
    return { database: { status: "ok" as const, latencyMs: number }, pending: 0 };
  };
  const startWorker = (number: number) => fakeWorker(number, { look: look(number) });
  const supervisor = createSupervisor({ count: 3, startWorker, log });
  await supervisor.start();
  const found = await Promise.all(Array.from({ length: 1_000 }, () => supervisor.readiness()));
  expect(looks).toBe(3);
  for (const one of found)
    expect(one).toEqual({
      database: { status: "ok", latencyMs: 3 },
      pending: 0,
      workers: { serving: 3, configured: 3 },
    });
  await Bun.sleep(150);
  await supervisor.readiness();
  expect(looks).toBe(6);
});

test.each([
  { silentForMs: [0, 0], alive: true },
  { silentForMs: [60_000, 0], alive: true },
  { silentForMs: [60_000, 60_000], alive: false },
])("of workers that have been silent for $silentForMs ms, any has answered: $alive", async (one) => {
  const since = one.silentForMs.map((ms) => performance.now() - ms);
  const startWorker = (number: number) => fakeWorker(number, { lastAnswer: () => since[number - 1] ?? 0 });
  const supervisor = createSupervisor({ count: 2, startWorker, log });
  // None listens, and it does what it can.
  expect(supervisor.hasAnswered()).toBe(true);
  await supervisor.start();
  expect(supervisor.hasAnswered()).toBe(one.alive);
});
