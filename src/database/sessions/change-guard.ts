import { toArrayBuffer } from "bun:ffi";
import type { Database } from "bun:sqlite";
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { openLibc } from "../../libc.ts";

/** Tells whether anything was committed to a SQLite file, by this process or any other. */
export interface ChangeGuard {
  /** Whether there may have been a commit since the last call; the first call says yes. */
  changed(): boolean;
  /** To be called after every connection to the file is closed, see `openChangeGuard`. */
  close(): void;
}

/** The first copy of the header in the wal-index; every commit rewrites it (sqlite.org/walformat.html, §2.1). */
const headerWords = 12;

/**
 * Opens the guard of a file in WAL mode. It looks at the 48 bytes of the wal-index that `PRAGMA data_version` compares
 * too, at a fortieth of its cost (0.05 µs against 2.1 µs), and asks the pragma where there is no such file.
 *
 * The file stays open for as long as a connection does: closing any descriptor of a file drops the POSIX locks that
 * SQLite holds on it in this process (sqlite.org/howtocorrupt.html, §2.2).
 * @param map replaces the mapping of the file; where it gives null, the file is read instead (0.6 µs).
 */
export function openChangeGuard(path: string, reader: Database, map = mapHeader): ChangeGuard {
  // The first read makes SQLite map the wal-index.
  const version = reader.query<{ data_version: number }, []>("PRAGMA data_version");
  reader.query("SELECT 1 FROM sqlite_master").get();
  const index = `${path}-shm`;
  if (!existsSync(index)) return pragmaGuard(() => version.get()?.data_version);
  const descriptor = openSync(index, "r");
  const mapped = map(descriptor, headerWords);
  return mapped === null ? readingGuard(descriptor) : mappedGuard(descriptor, mapped);
}

function mappedGuard(descriptor: number, { words, unmap }: SharedHeader): ChangeGuard {
  const differs = createComparison(words);
  let isOpen = true;
  return {
    changed() {
      // What was mapped may be somebody else's memory by now.
      if (!isOpen) throw new Error("the change guard is closed");
      return differs();
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      unmap();
      closeSync(descriptor);
    },
  };
}

function readingGuard(descriptor: number): ChangeGuard {
  const words = new Uint32Array(headerWords);
  const bytes = new Uint8Array(words.buffer);
  const differs = createComparison(words);
  return {
    changed: () => readSync(descriptor, bytes, 0, bytes.length, 0) !== bytes.length || differs(),
    close: () => closeSync(descriptor),
  };
}

/** Tells whether `words` are others than at the last call. */
function createComparison(words: Uint32Array): () => boolean {
  const last = new Uint32Array(headerWords);
  return () => {
    // A copy torn by a commit in progress differs from the one before it and from the one after it.
    let same = true;
    for (let at = 0; same && at < headerWords; at += 1) same = words[at] === last[at];
    if (!same) last.set(words);
    return !same;
  };
}

function pragmaGuard(read: () => number | undefined): ChangeGuard {
  let last: number | undefined;
  return {
    changed() {
      const current = read();
      const same = current !== undefined && current === last;
      last = current;
      return !same;
    },
    close: () => {},
  };
}

/** The beginning of a file, read and shared with every process that writes it. */
export interface SharedHeader {
  readonly words: Uint32Array;
  /** `words` may not be read afterwards. */
  unmap(): void;
}

/** The same on Linux and macOS. */
const [protectionRead, mapShared] = [1, 1];
/** The least that a mapping has, whatever the size of a page. */
const mappedBytes = 4096;

const signatures = {
  mmap: { args: ["usize", "usize", "i32", "i32", "i32", "i64"], returns: "i64" },
  munmap: { args: ["usize", "usize"], returns: "i32" },
} as const;

/**
 * Maps the first `length` words of an open file, at a twelfth of what reading them costs (0.05 µs against 0.57 µs).
 * Not with `Bun.mmap`, which opens and closes the file itself: see `openChangeGuard`.
 * @returns null where the C library cannot be called.
 */
export function mapHeader(descriptor: number, length: number): SharedHeader | null {
  const symbols = openLibc(signatures);
  if (symbols === null) return null;
  const address = Number(symbols.mmap(0, mappedBytes, protectionRead, mapShared, descriptor, 0));
  if (address <= 0) return null;
  const words = new Uint32Array(toArrayBuffer(address, 0, length * 4));
  return { words, unmap: () => void symbols.munmap(address, mappedBytes) };
}
