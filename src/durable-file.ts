import { closeSync, fsyncSync, linkSync, openSync, rmSync } from "node:fs";
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
  const temporary = `${path}.${process.pid}-${crypto.randomUUID()}.tmp`;
  try {
    await make(temporary);
    syncToDisk(temporary);
    return linkInPlace(temporary, path);
  } finally {
    for (const companion of companions) rmSync(temporary + companion, { force: true });
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
