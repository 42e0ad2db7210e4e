import { expect, test } from "bun:test";
import { createSupervisor } from "../../src/workers/supervisor.ts";
import type { WorkerProcess } from "../../src/workers/worker-process.ts";

test("health asked a thousand times at once has each worker look once, and again later", async () => {
  let looks = 0;
  const startWorker = (number: number): WorkerProcess => ({
    pid: number,
    listening: Promise.resolve(),
    ended: new Promise(() => {}),
    ping: async () => {},
    look: async () => {
      looks += 1;
      return { database: { status: "ok", latencyMs: number }, pending: 0 };
    },
    count: async () => null,
    lastFigures: () => ({}),
    drain: async () => "drained",
    close: async () => {},
    kill: () => {},
  });
  const supervisor = createSupervisor({
    count: 3,
    startWorker,
    log: { info: () => {}, error: () => {} },
  });
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
