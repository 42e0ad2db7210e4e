/** Before it tries again: doubled each time, up to the longest. */
const [pauseMs, pauseMaxMs] = [10_000, 60 * 60_000];

interface Situation {
  /** In ms since the epoch, as the instants below. */
  readonly now: number;
  readonly everyMs: number;
  /** Of those that are not from the future; null where there is none. */
  readonly newestAt: number | null;
  /** Since the last try of this process, by a clock that nobody puts back; null before the first. */
  readonly sinceTryMs: number | null;
  readonly failuresInARow: number;
}

/** When the next backup is due, in ms since the epoch: once the newest is old enough, and a pause after a try. */
export function backupDue({ now, everyMs, newestAt, sinceTryMs, failuresInARow }: Situation): number {
  const due = newestAt === null ? now : newestAt + everyMs;
  if (sinceTryMs === null) return due;
  const pause = Math.min(pauseMs * 2 ** Math.max(0, failuresInARow - 1), pauseMaxMs, everyMs);
  return Math.max(due, now + pause - sinceTryMs);
}
