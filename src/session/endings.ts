import { createBoundedMap } from "../bounded-map.ts";
import type { SessionRow } from "../database/sessions/store.ts";
import { isLive, sessionEnd } from "./verifier.ts";

type Lifetime = Pick<SessionRow, "token" | "expiresAt" | "createdAt">;

/** Which sessions this process has found ended: they stay so when the clock is put back. */
export interface Endings {
  /** Whether a session lives now, as far as its row says, and was not found ended before. */
  lives(row: Lifetime): boolean;
}

/** Kept at the most; who holds the cookies of more that ended has to wait for a clock to be put back, too. */
const endingsMax = 10_240;

/** @param now the clock, in ms since the epoch. */
export function createEndings(sessionMaxAgeSeconds: number, now: () => number): Endings {
  const ended = createBoundedMap<number>(endingsMax);
  return {
    lives(row) {
      const end = sessionEnd(row, sessionMaxAgeSeconds);
      const at = now();
      // One from the future has not ended; it may yet be right, once the clock is.
      if (end < at) ended.set(row.token, end);
      if (!isLive(row, sessionMaxAgeSeconds, at)) return false;
      if (ended.size === 0) return true;
      // Somebody who gave it a later end since then meant it.
      return end > (ended.get(row.token) ?? Number.NEGATIVE_INFINITY);
    },
  };
}
