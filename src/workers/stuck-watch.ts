import type { WorkerProcess } from "./worker-process.ts";

/** Between two pings, and how long an answer may take. */
const pingEveryMs = 2_000;
/** In a row: a machine that is stopped as a whole, as a snapshot does it, misses one. */
const missedMax = 5;

/**
 * Pings a worker for as long as it is wanted.
 * @param isWanted asked after each ping.
 * @returns true when it has not answered for 10 s: its event loop stands still, and so do its connections. False when it has ended,
 * or is not wanted any more.
 */
export async function watchUntilStuck(
  worker: Pick<WorkerProcess, "ping" | "ended">,
  isWanted: () => boolean,
  everyMs = pingEveryMs,
): Promise<boolean> {
  let hasEnded = false;
  void worker.ended.then(() => (hasEnded = true));
  for (let missed = 0; missed < missedMax; ) {
    let hasAnswered = false;
    void worker.ping().then(() => (hasAnswered = true));
    await sleep(everyMs);
    if (hasEnded || !isWanted()) return false;
    missed = hasAnswered ? 0 : missed + 1;
  }
  return true;
}

/** The end does not wait for it. */
async function sleep(ms: number): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, ms).unref());
}
