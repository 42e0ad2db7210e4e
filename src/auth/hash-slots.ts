import PQueue from "p-queue";

/** Runs work when it is its turn. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** @param concurrency hashes at once: fewer than cores, since the cookie signatures queue in the same thread pool. */
export function createHashSlots(concurrency: number): InTurn {
  const queue = new PQueue({ concurrency });
  return async (work) => await queue.add(work);
}
