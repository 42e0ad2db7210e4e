import { closeSync, fsyncSync, lchownSync, linkSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** What a maker may leave beside its file: SQLite's logs. */
const companions = ["", "-wal", "-shm", "-journal"];

/**
 * Makes the file at `path` whole or not at all, whenever the machine stops: `make` writes it under another name, and only
 * when it is on the disk does it get its own. Of several makers at once one wins. Nothing is left of the other name.
 * @returns whether the file at `path` is this one; false when another was there first.
 * @throws what `make` throws.
 */
export async function createDurably(
  path: string,
  make: (temporary: string) => Promise<void> | void,
): Promise<boolean> {
  return await besideOf(path, async (temporary) => {
    await make(temporary);
    syncToDisk(temporary);
    return linkInPlace(temporary, path);
  });
}

/** Puts a file at `path`, whole or not at all, whenever the machine stops, also where one is. @throws what `make` throws. */
export async function overwriteDurably(
  path: string,
  make: (temporary: string) => Promise<void> | void,
): Promise<void> {
  await besideOf(path, async (temporary) => {
    await make(temporary);
    renameDurably(temporary, path);
  });
}

/** Gives a file a name in its folder, in the place of what has it: whole or not at all, whenever the machine stops. */
export function renameDurably(file: string, path: string): void {
  syncToDisk(file);
  renameSync(file, path);
  syncToDisk(dirname(path));
}

/**
 * Puts a file in the place of the one at `path`, whole or not at all, whenever the machine stops. What was there is kept as
 * `<path>.before-restore`, or with a number behind it. `hold` runs the exchange once the new file is on the disk.
 * @returns the name of what was there. @throws what `make` and `hold` throw.
 */
export async function replaceDurably(
  path: string,
  make: (temporary: string) => Promise<void> | void,
  hold: (exchange: () => void) => Promise<void> | void,
): Promise<string> {
  return await besideOf(path, async (temporary) => {
    await make(temporary);
    syncToDisk(temporary);
    let kept = "";
    await hold(() => {
      kept = keepBeside(path);
      syncToDisk(dirname(path));
      renameSync(temporary, path);
      syncToDisk(dirname(path));
    });
    return kept;
  });
}

/** Runs `work` with a name beside `path` that nobody has, and leaves nothing of that name. */
export async function besideOf<T>(path: string, work: (temporary: string) => Promise<T> | T): Promise<T> {
  const temporary = `${path}.${process.pid}-${crypto.randomUUID()}.tmp`;
  try {
    return await work(temporary);
  } finally {
    for (const companion of companions) rmSync(temporary + companion, { force: true });
  }
}

/**
 * Root writes for the user whose server it is. That user may have put a link in the file's place meanwhile: it is not
 * followed. @param like a file or folder of that user's.
 */
export function giveToOwner(file: string, like: string): void {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = statSync(like);
  lchownSync(file, uid, gid);
}

/** Gives a file a second name, or finds the one that a run before, which was killed, has given it. */
function keepBeside(path: string): string {
  const { dev, ino } = statSync(path);
  for (let number = 1; ; number += 1) {
    const name = `${path}.before-restore${number === 1 ? "" : `-${number}`}`;
    const found = statSync(name, { throwIfNoEntry: false });
    if (found !== undefined && (found.dev !== dev || found.ino !== ino)) continue;
    if (found === undefined) linkSync(path, name);
    return name;
  }
}

function linkInPlace(temporary: string, path: string): boolean {
  try {
    linkSync(temporary, path);
  } catch (error) {
    if ((error as { code?: unknown }).code === "EEXIST") return false;
    throw error;
  }
  syncToDisk(dirname(path));
  return true;
}

/** Flushes a file's, or a directory's, content to the disk. */
function syncToDisk(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
