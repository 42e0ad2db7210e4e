/** So many refusals a second are told at once. */
const promptPerSecond = 50;
/** Of the others: not all at one moment, or they would all be back at one. */
const holdMinMs = 1_000;
const holdMaxMs = 2_000;

const holdMs = () => holdMinMs + Math.random() * (holdMaxMs - holdMinMs);

/** Holds a refusal back where there are many: whoever asks again without a pause asks every second or two then. */
export type Pace = (askedAt: number) => Promise<void>;

/**
 * Builds the pace of refusals. Refusing costs little; refusing thousands a second would cost those who are let in theirs.
 * @param now a clock in ms, of which `askedAt` is.
 */
export function createPace(now: () => number, sleep: (ms: number) => Promise<void>): Pace {
  let since = now();
  let told = 0;
  return async (askedAt) => {
    const at = now();
    if (at - since >= 1_000) {
      since = at;
      told = 0;
    }
    told += 1;
    if (told > promptPerSecond) await sleep(Math.max(0, askedAt + holdMs() - at));
  };
}
