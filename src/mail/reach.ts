/** Between two tries of whichever mail. */
const [firstPauseMs, lastPauseMs] = [2_000, 60_000];

/** Whether the mail server takes mail now. */
export interface Reach {
  /** Whether it did the last time. */
  isGiven(): boolean;
  /** Nothing is tried before, in ms since the epoch. */
  pausedUntil(): number;
  pause(ms: number): void;
  /** It was not reached: the next try is later each time. Several lines that notice the same are one. */
  lose(): void;
  regain(): void;
}

/** @param now the clock, in ms since the epoch. */
export function createReach(now: () => number): Reach {
  let isGiven = true;
  let until = 0;
  let pauseMs = firstPauseMs;
  return {
    isGiven: () => isGiven,
    pausedUntil: () => until,
    pause: (ms) => (until = now() + ms),
    lose() {
      isGiven = false;
      if (until > now()) return;
      until = now() + pauseMs;
      pauseMs = Math.min(lastPauseMs, 2 * pauseMs);
    },
    regain() {
      isGiven = true;
      pauseMs = firstPauseMs;
    },
  };
}
