import { expect, test } from "bun:test";
import { cpuMicros, usedMicros } from "./process-usage.ts";

const stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 200 0 0 7 5 30 8 20 0 1 0 100";

test.each([
  ["", 500_000],
  ["90000000 12 3\n", 500_000],
  ["123456000 12 3\n", 503_456],
])("adds up a process's own time and that of its ended children, by schedstat %j", (schedstat, micros) => {
  expect(usedMicros(stat, schedstat)).toBe(micros);
});

test.skipIf(process.platform !== "linux")("counts what an ended child has used", async () => {
  const before = cpuMicros(process.pid) ?? Number.NaN;
  // To ask is the system's time, and much of it: the loop is the user's.
  const spin = "for (let at = 0; at % 100_000 !== 0 || process.cpuUsage().user < 150_000; at += 1);";
  await Bun.spawn([process.execPath, "-e", spin]).exited;
  expect((cpuMicros(process.pid) ?? 0) - before).toBeGreaterThanOrEqual(100_000);
});
