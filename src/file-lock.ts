import { closeSync, openSync } from "node:fs";
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

/** Waits for the lock, but goes on without it after `ms`. @returns what gives it back. */
export async function awaitLock(path: string, ms: number): Promise<() => void> {
  const lockable = openLockable(path);
  const deadline = performance.now() + ms;
  while (!lockable.take() && performance.now() < deadline) await Bun.sleep(10);
  return lockable.release;
}

function openLockable(path: string): Lockable {
  const descriptor = openSync(path, "r");
  const libc = openLibc({ flock: { args: ["i32", "i32"], returns: "i32" } });
  return {
    take: () => libc === null || libc.flock(descriptor, exclusiveAtOnce) === 0,
    release: () => closeSync(descriptor),
  };
}
