/** Removes ended sessions in the background. */
export interface Sweeper {
  /** Says that something was written: the store is awake, and a sweep may follow. */
  wake(): void;
  /** Resolves when no batch is under way. */
  stop(): Promise<void>;
}

export interface SweeperDeps {
  /** Deletes one batch of what ended before an instant in ms since the epoch. @returns the rows deleted. */
  readonly sweepBatch: (before: number) => Promise<number>;
  readonly batchSize: number;
  readonly now: () => number;
  readonly onFailure: (error: unknown) => void;
  /** Between a write and its sweep, and between two sweeps at the least. */
  readonly delayMs: number;
  /** Between two batches: others get the lock. */
  readonly pauseMs: number;
}

/**
 * Sweeps after writes and never by itself, so that a sleeping database is left asleep: one sweep `delayMs` after the
 * first write, batch by batch until none is full.
 */
export function createSweeper(deps: SweeperDeps): Sweeper {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let sweeping: Promise<void> | undefined;
  let stopped = false;
  const sweep = async () => {
    try {
      while (!stopped && (await deps.sweepBatch(deps.now())) >= deps.batchSize) await Bun.sleep(deps.pauseMs);
    } catch (error) {
      deps.onFailure(error);
    } finally {
      sweeping = undefined;
    }
  };
  return {
    wake() {
      if (timer !== undefined || sweeping !== undefined || stopped) return;
      timer = setTimeout(() => {
        timer = undefined;
        sweeping = sweep();
      }, deps.delayMs);
      // A process that has nothing else to do need not wait for it.
      timer.unref();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await sweeping;
    },
  };
}
