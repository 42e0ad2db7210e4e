import { closeSync, openSync, rmSync } from "node:fs";
import { createHashLines } from "./hash-lines.ts";
import { createHashRuns, type HashRuns, writeWhole } from "./hash-runs.ts";
import { hashBytes, hashesInPage, headerPage, pageBytes, sealedPage } from "./filter-page.ts";

export interface FilterSource {
  /** Lines `SHA1HEX:count`, sorted or not. */
  readonly list: AsyncIterable<Uint8Array>;
  /** Hashes that were seen less often are left out; at least 1. */
  readonly minCount: number;
  /** Hears how many lines were read. */
  readonly onProgress?: (lines: number) => void;
  /** Hashes that are sorted in memory at once; default four million, 32 MiB. */
  readonly inMemory?: number;
}

const defaultInMemory = 4 * 1_024 * 1_024;

/**
 * Writes the file at `path`, in memory that does not grow with the list, and with twice its size on the disk while it runs.
 * @returns how many lines were read, and how many hashes are in the file: where there are none, it cannot be used.
 * @throws BadLineError
 */
export async function buildFilter(
  path: string,
  { list, minCount, onProgress, inMemory = defaultInMemory }: FilterSource,
): Promise<{ readonly lines: number; readonly hashes: number }> {
  const runsPath = `${path}.runs`;
  const runs = createHashRuns(runsPath, inMemory);
  const lines = createHashLines(minCount, runs.add);
  try {
    for await (const chunk of list) {
      lines.take(chunk);
      onProgress?.(lines.count());
    }
    lines.end();
    const hashes = writePages(path, minCount, runs.sorted);
    return { lines: lines.count(), hashes };
  } finally {
    runs.close();
    rmSync(runsPath, { force: true });
  }
}

function writePages(path: string, minCount: number, sorted: HashRuns["sorted"]): number {
  const descriptor = openSync(path, "wx");
  try {
    const page = Buffer.alloc(pageBytes);
    let [hashes, inPage, number] = [0, 0, 1];
    let [lastHigh, lastLow] = [-1, -1];
    const flush = () => {
      page.fill(0, inPage * hashBytes);
      writeWhole(descriptor, sealedPage(page, number), number * pageBytes);
      [inPage, number] = [0, number + 1];
    };
    sorted((high, low) => {
      if (high === lastHigh && low === lastLow) return;
      [lastHigh, lastLow] = [high, low];
      page.writeUInt32LE(low, inPage * hashBytes);
      page.writeUInt32LE(high, inPage * hashBytes + 4);
      [hashes, inPage] = [hashes + 1, inPage + 1];
      if (inPage === hashesInPage) flush();
    });
    if (inPage > 0) flush();
    writeWhole(descriptor, headerPage({ hashes, minCount }), 0);
    return hashes;
  } finally {
    closeSync(descriptor);
  }
}
