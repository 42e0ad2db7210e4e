import type { Writable } from "node:stream";

/** What may wait for a reader; beyond it lines are dropped, and counted. */
const waitingMaxBytes = 1024 * 1024;
/** Handed to the system at once. */
const chunkMaxBytes = 64 * 1024;

/** Lines on their way to a reader who may have stopped reading. */
export interface LogWriter {
  /** Never waits. @param line with its line feed. */
  write(line: string): void;
  /** Lines that were dropped, so far. */
  droppedLines(): number;
  /** Resolves when everything is written, or after `timeoutMs`. */
  flush(timeoutMs: number): Promise<void>;
}

/**
 * Writes lines to a stream that does not block, one chunk after the other. While nobody reads, lines wait in memory up to
 * 1 MiB, and those beyond are dropped; how many stands where they would have stood.
 * @param lineOfDropped the line that says how many were dropped.
 */
export function createLogWriter(
  stream: Pick<Writable, "write">,
  lineOfDropped: (count: number) => string,
): LogWriter {
  let waiting: string[] = [];
  let waitingBytes = 0;
  let isWriting = false;
  let dropped = 0;
  let droppedBefore = 0;
  let settled: PromiseWithResolvers<void> | undefined;

  const takeChunk = (): string => {
    let chunk = "";
    let taken = 0;
    while (taken < waiting.length && chunk.length < chunkMaxBytes) chunk += waiting[taken++] ?? "";
    waiting = waiting.slice(taken);
    waitingBytes -= Buffer.byteLength(chunk);
    return chunk;
  };
  const tellDropped = (): void => {
    if (dropped === 0) return;
    enqueue(lineOfDropped(dropped));
    droppedBefore += dropped;
    dropped = 0;
  };
  const pump = (): void => {
    if (isWriting) return;
    if (waiting.length === 0) tellDropped();
    if (waiting.length === 0) {
      settled?.resolve();
      settled = undefined;
      return;
    }
    isWriting = true;
    stream.write(takeChunk(), () => {
      isWriting = false;
      pump();
    });
  };
  const enqueue = (line: string): void => {
    waiting.push(line);
    waitingBytes += Buffer.byteLength(line);
  };
  return {
    write(line) {
      if (waitingBytes > waitingMaxBytes) {
        dropped += 1;
        return;
      }
      tellDropped();
      enqueue(line);
      pump();
    },
    droppedLines: () => droppedBefore + dropped,
    async flush(timeoutMs) {
      if (!isWriting && waiting.length === 0) return;
      settled ??= Promise.withResolvers<void>();
      await Promise.race([settled.promise, Bun.sleep(timeoutMs)]);
    },
  };
}
