import { closeSync, fstatSync, openSync, read, readSync } from "node:fs";
import { promisify } from "node:util";
import { CommandError, reasonOf } from "../../errors.ts";
import type { Breaches } from "./breaches.ts";
import {
  fileBytes,
  type FilterHeader,
  hashBytes,
  hashesInPage,
  isPage,
  pageBytes,
  pagesFor,
  readHeader,
} from "./filter-page.ts";

const readAsync = promisify(read);

/** Files up to this are read whole at the start: 64 MiB, eight million hashes. */
const wholePagesMax = 16_384;
/** Of larger ones so many pages, evenly spread. */
const sampledPages = 1_024;
const pagesAtOnce = 256;
/** After so many guesses by the hash's own value, the middle is taken: no file can make a search long. */
const guessesMax = 8;
const remedy =
  "make a new one: latchkey passwords build <list> <file>, and set LATCHKEY_PASSWORD_BREACHED_FILE to it";

/** A file that is open, of which nothing is kept in memory. */
export interface FilterFile extends Breaches, FilterHeader {
  readonly bytes: number;
}

/**
 * Opens a filter file. Its header and length are checked, and its pages: all of a small one or where `how` says so, else a
 * sample. Every page is checked again when it is asked.
 * @throws CommandError with the reason where it cannot be used.
 */
export function openFilterFile(path: string, how: "start" | "whole" = "start"): FilterFile {
  const descriptor = open(path);
  try {
    const header = checkedHeader(descriptor, path);
    checkPages(descriptor, path, pagesFor(header.hashes), how);
    return {
      ...header,
      bytes: fileBytes(header.hashes),
      has: (sha1) => isIn(descriptor, header.hashes, sha1.readBigUInt64BE(0)),
      async close() {
        closeSync(descriptor);
      },
    };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function open(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    const what = code === "ENOENT" ? "is not there" : `cannot be read: ${reasonOf(error)}`;
    throw unusable(path, what, error);
  }
}

function checkedHeader(descriptor: number, path: string): FilterHeader {
  const stat = fstatSync(descriptor);
  if (!stat.isFile()) throw unusable(path, "is no file");
  const header = readHeader(pagesAt(descriptor, 0, 1));
  if (typeof header === "string") throw unusable(path, header);
  const wanted = fileBytes(header.hashes);
  if (stat.size !== wanted)
    throw unusable(path, `is damaged: it has ${stat.size} bytes, and should have ${wanted}`);
  return header;
}

function checkPages(descriptor: number, path: string, pages: number, how: "start" | "whole"): void {
  const isWhole = how === "whole" || pages <= wholePagesMax;
  const step = isWhole ? pagesAtOnce : Math.max(1, Math.floor(pages / sampledPages));
  for (let first = 1; first <= pages; first += step) {
    const count = isWhole ? Math.min(pagesAtOnce, pages - first + 1) : 1;
    const some = pagesAt(descriptor, first, count);
    for (let at = 0; at < count; at += 1)
      if (!isPage(some.subarray(at * pageBytes, (at + 1) * pageBytes), first + at))
        throw unusable(path, `is damaged: page ${first + at} of ${pages} is not as it was written`);
  }
}

/** @returns what is there, which may be less. */
function pagesAt(descriptor: number, first: number, count: number): Buffer {
  const pages = Buffer.alloc(count * pageBytes);
  return pages.subarray(0, readSync(descriptor, pages, 0, pages.length, first * pageBytes));
}

/** Looks a hash up where its value says that it should be: hashes are spread evenly, so a few pages are read. */
async function isIn(descriptor: number, hashes: number, wanted: bigint): Promise<boolean> {
  let [low, high] = [1, pagesFor(hashes)];
  let [lowKey, highKey] = [0, 2 ** 64];
  for (let guesses = 0; low <= high; guesses += 1) {
    const share = guesses < guessesMax ? (Number(wanted) - lowKey) / (highKey - lowKey) : 0.5;
    const number = Math.min(high, low + Math.max(0, Math.floor(share * (high - low + 1)) || 0));
    const page = await pageOf(descriptor, number);
    const count = Math.min(hashesInPage, hashes - (number - 1) * hashesInPage);
    const hashAt = (at: number) => page.readBigUInt64LE(at * hashBytes);
    if (wanted < hashAt(0)) [high, highKey] = [number - 1, Number(hashAt(0))];
    else if (wanted > hashAt(count - 1)) [low, lowKey] = [number + 1, Number(hashAt(count - 1))];
    else return isAmong(hashAt, count, wanted);
  }
  return false;
}

async function pageOf(descriptor: number, number: number): Promise<Buffer> {
  const page = Buffer.alloc(pageBytes);
  const { bytesRead } = await readAsync(descriptor, page, 0, pageBytes, number * pageBytes);
  if (bytesRead !== pageBytes || !isPage(page, number))
    throw new Error(`page ${number} of the file of breached passwords is not as it was written`);
  return page;
}

function isAmong(hashAt: (at: number) => bigint, count: number, wanted: bigint): boolean {
  let [low, high] = [0, count - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = hashAt(middle);
    if (found === wanted) return true;
    if (found < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}

function unusable(path: string, what: string, cause?: unknown): CommandError {
  return new CommandError(`LATCHKEY_PASSWORD_BREACHED_FILE: ${path} ${what}`, remedy, { cause });
}
