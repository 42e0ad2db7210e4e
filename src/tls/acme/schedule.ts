/** Of its lifetime, when a certificate is renewed, and how much later at the most: not all servers come at once. */
const [renewAfter, jitter] = [2 / 3, 1 / 40];
/**
 * Before another try, doubled each time up to the longest. Let's Encrypt takes five failures of a name within an hour; what did
 * not reach it counts for nothing there.
 */
const [pauseMs, unreachedPauseMs, pauseMaxMs] = [120_000, 10_000, 6 * 60 * 60_000];
/** No pause is longer, whatever an authority writes. */
export const retryAfterMaxMs = 24 * 60 * 60_000;

interface Lifetime {
  /** Both in ms since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** When to renew a certificate, in ms since the epoch: in the last third of its lifetime. @param random from 0 to 1. */
export function renewalDue({ notBefore, notAfter }: Lifetime, random: number): number {
  return notBefore + (notAfter - notBefore) * (renewAfter + jitter * random);
}

export interface FailedTries {
  /** In a row, at least one. */
  readonly failures: number;
  /** Whether the last one reached the authority, and was refused by it. */
  readonly wasRefused: boolean;
  /** What the authority asked for, in ms. */
  readonly retryAfterMs: number;
}

/** How long to wait before the next try, in ms, a day at the most. @param random from 0 to 1. */
export function pauseAfter({ failures, wasRefused, retryAfterMs }: FailedTries, random: number): number {
  const first = wasRefused ? pauseMs : unreachedPauseMs;
  const doubled = Math.min(pauseMaxMs, first * 2 ** (failures - 1));
  return Math.max(Math.min(retryAfterMs, retryAfterMaxMs), doubled * (1 + random / 5));
}
