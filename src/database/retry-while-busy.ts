import { errorCode } from "./store-error.ts";

/**
 * Runs a statement, again after a jittered pause of 1 to 20 ms while another process holds the file.
 * @param deadline in `performance.now()` ms. @throws what the statement throws, SQLITE_BUSY after the deadline.
 */
export async function retryWhileBusy(run: () => void, deadline: number): Promise<void> {
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 20)) {
    try {
      run();
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error;
      await Bun.sleep(pauseMs * (0.5 + Math.random() / 2));
    }
  }
}

/** Whether SQLite says that somebody else holds the file. */
export function isBusy(error: unknown): boolean {
  return errorCode(error)?.startsWith("SQLITE_BUSY") === true;
}
