import PQueue from "p-queue";

/** Runs work when it is its turn. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * @param concurrency hashes at once: fewer than cores, since the cookie signatures queue in the same thread pool.
 * @param spare how many more there may be for now, asked as each comes and goes.
 */
export function createHashSlots(concurrency: number, spare: () => number = () => 0): InTurn {
  const queue = new PQueue({ concurrency });
  const fit = () => {
    queue.concurrency = concurrency + spare();
  };
  return async (work) => {
    fit();
    // Before the queue looks for the next one.
    return await queue.add(() => work().finally(fit));
  };
}
