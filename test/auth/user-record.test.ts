import { expect, test } from "bun:test";
import { FaultError, readUserRecord } from "../../src/auth/user-record.ts";

const read = (createdAt: unknown) => readUserRecord({ email: "ann@example.com", createdAt }, 0).createdAt;

test.each([
  ["2024-02-29", Date.UTC(2024, 1, 29)],
  ["2026-12-31T23:59:59Z", Date.UTC(2026, 11, 31, 23, 59, 59)],
  ["2026-03-01 00:30:00+02", Date.UTC(2026, 1, 28, 22, 30)],
])("reads the instant %s", (written, at) => {
  expect(read(written)).toBe(at);
});

test.each([
  "2026-02-31T00:00:00Z",
  "2025-02-29",
  "1900-02-29",
  "2026-04-31 12:00:00+00",
  "2026-06-31T12:00:00.123Z",
  "2026-00-01",
  "2026-01-00",
  "2026-01-32",
  "2026-13-01",
])("refuses %s, a day that there is not", (written) => {
  expect(() => read(written)).toThrow(
    new FaultError({ field: "createdAt", reason: "is no instant", remedy: "" }),
  );
});
