/** Tries beside each other, of which the first to succeed counts. */
export interface Hedged {
  /** Resolves once one succeeded; rejects once all that were begun have failed, as the last of them did. */
  readonly settled: Promise<void>;
  /** Begins no more of them. */
  stop(): void;
}

/**
 * Begins another try whenever none has settled for `everyMs`: one that hangs holds up nobody.
 * @param again null where nothing is left to be tried for: that is a success.
 */
export function hedge(
  first: Promise<unknown>,
  everyMs: number,
  again: () => Promise<unknown> | null,
): Hedged {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let running = 0;
  const stop = () => clearInterval(timer);
  const succeed = () => {
    stop();
    resolve();
  };
  const add = (attempt: Promise<unknown> | null) => {
    if (attempt === null) return succeed();
    running += 1;
    attempt.then(succeed, (error: unknown) => {
      running -= 1;
      if (running > 0) return;
      stop();
      reject(error);
    });
  };
  const timer = setInterval(() => add(again()), everyMs);
  add(first);
  return { settled: promise, stop };
}
