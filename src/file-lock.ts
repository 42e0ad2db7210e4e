import { closeSync, constants, fstatSync, lstatSync, openSync, rmSync } from "node:fs";
import { openLibc } from "./libc.ts";

/** flock(2): alone, and without waiting. */
const exclusiveAtOnce = 2 | 4;

/** A file or a folder that is open for its lock. */
interface Lockable {
  /** Whether this process has the lock now. Where the C library cannot be called, everybody has it. */
  take(): boolean;
  release(): void;
}

/**
 * Takes the lock of a file or a folder, which the system takes back when this process ends, however that ends. It is none
 * of SQLite's own. Windows has none such: everybody gets it.
 * @returns what gives it back; null where another process has it.
 */
export function lockFile(path: string): (() => void) | null {
  const lockable = openLockable(path);
  if (lockable.take()) return lockable.release;
  lockable.release();
  return null;
}

/**
 * Takes the lock of a file that is made for it, and that nobody but its owner can open: of what everybody may read,
 * everybody may take the lock. The file goes with the lock.
 * @returns what gives it back; null where another process has it. @throws where it cannot be made, or is another user's.
 */
export function lockOwnFile(path: string): (() => void) | null {
  const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;
  for (;;) {
    const descriptor = openSync(path, O_CREAT | O_RDWR | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0), 0o600);
    const { take, release } = lockableOf(descriptor);
    const own = fstatSync(descriptor);
    const isOwn = own.isFile() && own.uid === process.geteuid?.();
    if (!isOwn || !take()) {
      release();
      if (isOwn) return null;
      throw new Error("it is not a file of this user's");
    }
    // Whoever had the lock has removed the file that was opened here.
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.ino !== own.ino || found.dev !== own.dev) {
      release();
      continue;
    }
    return () => {
      rmSync(path, { force: true });
      release();
    };
  }
}

/** Waits for the lock, but goes on without it after `ms`. @returns what gives it back. */
export async function awaitLock(path: string, ms: number): Promise<() => void> {
  const lockable = openLockable(path);
  const deadline = performance.now() + ms;
  while (!lockable.take() && performance.now() < deadline) await Bun.sleep(10);
  return lockable.release;
}

const openLockable = (path: string): Lockable => lockableOf(openSync(path, "r"));

function lockableOf(descriptor: number): Lockable {
  const libc = openLibc({ flock: { args: ["i32", "i32"], returns: "i32" } });
  return {
    take: () => libc === null || libc.flock(descriptor, exclusiveAtOnce) === 0,
    release: () => closeSync(descriptor),
  };
}
