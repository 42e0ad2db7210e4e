import { expect, test } from "bun:test";
import { createReach } from "../../src/mail/reach.ts";

test("tries later each time, a minute at most, and at once again when it was reached", () => {
  let at = 0;
  const reach = createReach(() => at);
  const waits = Array.from({ length: 7 }, () => {
    // Four lines notice.
    for (let line = 0; line < 4; line += 1) reach.lose();
    const wait = reach.pausedUntil() - at;
    at = reach.pausedUntil();
    return wait;
  });
  expect([waits, reach.isGiven()]).toEqual([[2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000], false]);
  reach.regain();
  reach.lose();
  expect(reach.pausedUntil() - at).toBe(2_000);
});
