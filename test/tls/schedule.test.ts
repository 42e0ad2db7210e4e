import { expect, test } from "bun:test";
import { pauseAfter, renewalDue } from "../../src/tls/acme/schedule.ts";

const dayMs = 24 * 60 * 60 * 1_000;

test("a certificate is renewed in the last third of its time, not by all servers at once", () => {
  const ninety = { notBefore: 0, notAfter: 90 * dayMs };
  expect(renewalDue(ninety, 0)).toBe(60 * dayMs);
  expect(renewalDue(ninety, 1)).toBe(62.25 * dayMs);
  const six = { notBefore: 10 * dayMs, notAfter: 16 * dayMs };
  expect(renewalDue(six, 0)).toBe(14 * dayMs);
});

test("what the authority refused is tried five times within an hour at the most, and later every six hours or so", () => {
  const refusedAt = (failures: number) => pauseAfter({ failures, wasRefused: true, retryAfterMs: 0 }, 0);
  const tries = [1, 2, 3, 4, 5]
    .map(refusedAt)
    .reduce<number[]>((at, pause) => [...at, (at.at(-1) ?? 0) + pause], [0]);
  expect(tries.filter((at) => at < 60 * 60_000)).toHaveLength(5);
  expect(pauseAfter({ failures: 400, wasRefused: true, retryAfterMs: 0 }, 0)).toBe(6 * 60 * 60_000);
  expect(pauseAfter({ failures: 400, wasRefused: true, retryAfterMs: 0 }, 1)).toBe(7.2 * 60 * 60_000);
});

test("an authority that was not reached is asked again sooner, and one that says when not before, up to a day", () => {
  expect(pauseAfter({ failures: 1, wasRefused: false, retryAfterMs: 0 }, 0)).toBe(10_000);
  expect(pauseAfter({ failures: 1, wasRefused: true, retryAfterMs: dayMs / 2 }, 0)).toBe(dayMs / 2);
  expect(pauseAfter({ failures: 1, wasRefused: true, retryAfterMs: 7 * dayMs }, 0)).toBe(dayMs);
});
