/** So many requests a second leave no core to hashes: at 20 µs each, half a percent of one. */
const quietPerSecond = 200;
/** Shorter than a hash takes on a slow machine, and longer than a burst that is over. */
const everyMs = 50;

/**
 * Tells whether hashes may have the core that is otherwise left to requests: while few of those come, nobody misses it.
 * @param requests how many there have been, all in all. @param now a clock that never goes back, in ms.
 * @returns 1 or 0.
 */
export function createSpareCore(requests: () => number, now: () => number): () => number {
  let seen = requests();
  let askedAt = now();
  let spare = 0;
  return () => {
    const elapsedMs = now() - askedAt;
    if (elapsedMs < everyMs) return spare;
    const count = requests();
    spare = ((count - seen) * 1_000) / elapsedMs < quietPerSecond ? 1 : 0;
    seen = count;
    askedAt += elapsedMs;
    return spare;
  };
}
