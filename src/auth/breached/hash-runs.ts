import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { hashBytes } from "./filter-page.ts";

type Take = (high: number, low: number) => void;

/** Sorts more hashes than memory holds: sorted runs on the disk, merged at the end. A list that is sorted is one run. */
export interface HashRuns {
  add: Take;
  /** Hands all of them out, ascending, those that are there twice twice. */
  sorted(take: Take): void;
  close(): void;
}

/** Where a run stands in the file, in hashes, and its last one. */
interface Run {
  readonly from: number;
  to: number;
  lastHigh: number;
  lastLow: number;
}

const readAtOnce = 8_192;

/** @param inMemory how many are sorted in memory at once. */
export function createHashRuns(path: string, inMemory: number): HashRuns {
  const descriptor = openSync(path, "wx+", 0o600);
  const hashes = new BigUint64Array(inMemory);
  // Of each hash first the low half: every machine that Bun runs on is little-endian.
  const halves = new Uint32Array(hashes.buffer);
  const runs: Run[] = [];
  let count = 0;
  let written = 0;
  let isSorted = true;
  let [lastHigh, lastLow] = [0, 0];
  const flush = () => {
    if (count === 0) return;
    if (!isSorted) hashes.subarray(0, count).sort();
    writeWhole(descriptor, new Uint8Array(hashes.buffer, 0, count * hashBytes), written * hashBytes);
    const halfOf = (at: number) => halves[at] ?? 0;
    const last = { lastHigh: halfOf(count * 2 - 1), lastLow: halfOf(count * 2 - 2), to: written + count };
    const before = runs.at(-1);
    if (before !== undefined && !isLess(halfOf(1), halfOf(0), before.lastHigh, before.lastLow))
      Object.assign(before, last);
    else runs.push({ from: written, ...last });
    written += count;
    [count, isSorted, lastHigh, lastLow] = [0, true, 0, 0];
  };
  return {
    add(high, low) {
      if (isLess(high, low, lastHigh, lastLow)) isSorted = false;
      lastHigh = high;
      lastLow = low;
      halves[count * 2] = low;
      halves[count * 2 + 1] = high;
      count += 1;
      if (count === inMemory) flush();
    },
    sorted(take) {
      flush();
      merge(
        runs.map((run) => createReader(descriptor, run)),
        take,
      );
    },
    close: () => closeSync(descriptor),
  };
}

/** A run, read piece by piece. */
interface Reader {
  high: number;
  low: number;
  /** @returns whether there is one more, which `high` and `low` are then. */
  next(): boolean;
}

function createReader(descriptor: number, { from, to }: Run): Reader {
  const halves = new Uint32Array(Math.min(readAtOnce, to - from) * 2);
  const bytes = new Uint8Array(halves.buffer);
  let position = from;
  let [at, end] = [0, 0];
  const reader: Reader = {
    high: 0,
    low: 0,
    next() {
      if (at === end) {
        const count = Math.min(readAtOnce, to - position);
        if (count === 0) return false;
        readWhole(descriptor, bytes.subarray(0, count * hashBytes), position * hashBytes);
        position += count;
        [at, end] = [0, count * 2];
      }
      reader.low = halves[at] ?? 0;
      reader.high = halves[at + 1] ?? 0;
      at += 2;
      return true;
    },
  };
  return reader;
}

/** Merges by a binary heap, whose root has the least. */
function merge(readers: readonly Reader[], take: Take): void {
  const heap = readers.filter((reader) => reader.next());
  const sink = (from: number) => {
    const sinking = heap[from];
    if (sinking === undefined) return;
    let at = from;
    for (;;) {
      let child = heap[2 * at + 1];
      let childAt = 2 * at + 1;
      const right = heap[2 * at + 2];
      if (child === undefined) break;
      if (right !== undefined && isLess(right.high, right.low, child.high, child.low))
        [child, childAt] = [right, childAt + 1];
      if (!isLess(child.high, child.low, sinking.high, sinking.low)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = sinking;
  };
  for (let at = (heap.length >> 1) - 1; at >= 0; at -= 1) sink(at);
  for (let least = heap[0]; least !== undefined; least = heap[0]) {
    take(least.high, least.low);
    if (!least.next()) {
      const last = heap.pop();
      if (last === undefined || heap.length === 0) return;
      heap[0] = last;
    }
    sink(0);
  }
}

function isLess(high: number, low: number, otherHigh: number, otherLow: number): boolean {
  return high < otherHigh || (high === otherHigh && low < otherLow);
}

/** Writes all of it: a disk that is nearly full takes a part, and then says so. */
export function writeWhole(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let from = 0; from < bytes.length; )
    from += writeSync(descriptor, bytes, from, bytes.length - from, position + from);
}

function readWhole(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let from = 0; from < bytes.length; ) {
    const read = readSync(descriptor, bytes, from, bytes.length - from, position + from);
    if (read === 0) throw new Error("the file of sorted runs is shorter than it was written");
    from += read;
  }
}
