import { closeSync, existsSync, fstatSync, linkSync, openSync, readSync, rmSync, statSync } from "node:fs";
import { CommandError } from "../errors.ts";
import { sqliteMagic } from "./sqlite-connection.ts";

/** How often the path is looked at while nobody writes. */
const checkEveryMs = 1_000;
const compareBytes = 1024 * 1024;

/** A SQLite file that is open, and the name under which others find it. */
export interface OpenFile {
  /** @throws when the name, or that of its log, stands for another file than the one that is open: since then for good. */
  requireOwn(): void;
  /** Whether `requireOwn` has thrown. */
  isLost(): boolean;
  /** @throws also when what stands on the disk is not a whole database. */
  requireWhole(): void;
  /** Whether somebody else may have it open: the second name was there before. Known to a guest alone. */
  readonly isOthers: boolean;
  /** Forgets the second name where it has nothing more than the first. */
  close(): void;
}

/**
 * Watches the name of an open file: what is written to a file that lost its name is gone at the next start.
 * @param onLost hears of it, once.
 * @param isGuest whether a second name that is there already is left at the end.
 */
export function watchOpenFile(path: string, onLost: (error: Error) => void, isGuest = false): OpenFile {
  const isOthers = isGuest && identityOf(otherName(path)) === identityOf(path);
  keepName(path);
  // The process's end closes it: whoever closes a descriptor takes all of the process's locks on the file with it, and
  // SQLite's connections last until their statements are collected.
  const descriptor = openSync(path, "r");
  const names = [path, `${path}-wal`];
  const opened = names.map(identityOf);
  let lost: Error | undefined;
  const requireOwn = (): void => {
    if (lost !== undefined) throw lost;
    const at = names.findIndex((name, index) => opened[index] !== null && identityOf(name) !== opened[index]);
    if (at === -1) return;
    const name = names[at] ?? path;
    const what = identityOf(name) === null ? "is gone" : "is another file than the one that is open";
    lost = new Error(`${name} ${what}: restart latchkey`);
    onLost(lost);
    throw lost;
  };
  const timer = setInterval(() => {
    try {
      requireOwn();
      // Another process on the file may have ended in order, and taken it away. One that is there is never replaced.
      if (identityOf(otherName(path)) === null) keepName(path);
    } catch {
      // Whoever asks next hears of it, and so has `onLost`.
    }
  }, checkEveryMs);
  timer.unref();
  return {
    requireOwn,
    isLost: () => lost !== undefined,
    isOthers,
    requireWhole() {
      requireOwn();
      const problem = damageOf(descriptor);
      if (problem !== null) throw new Error(`${path} ${problem}`);
    },
    close() {
      clearInterval(timer);
      if (isOthers) return;
      const logBytes = statSync(names[1] ?? "", { throwIfNoEntry: false })?.size ?? 0;
      // Something is left in it that must not be mixed up with another file.
      if (logBytes > 0) return;
      if (lost === undefined) rmSync(otherName(path), { force: true });
      // SQLite leaves them where the file lost its name, in the way of the one that has it now.
      else if (identityOf(names[1] ?? "") === opened[1])
        for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
    },
  };
}

/** The name that an open file keeps when its own is given to another one. */
export function otherName(path: string): string {
  return `${path}-open`;
}

/** Gives the file its second name, where the file system can. */
function keepName(path: string): void {
  const other = otherName(path);
  if (identityOf(other) === identityOf(path)) return;
  try {
    rmSync(other, { force: true });
    linkSync(path, other);
  } catch {
    // Without hard links a log that belongs to another file cannot be told at the next start.
  }
}

/**
 * Requires that a log which stands beside a database belongs to it: one that was written for another file would be
 * played into this one and destroy it.
 * @throws CommandError.
 */
export function requireOwnLog(path: string): void {
  const [log, other] = [`${path}-wal`, otherName(path)];
  if (!existsSync(path)) return requireNothingLeft(path, log, other);
  // Even an empty log may be open: two servers on two files would write into one.
  const isLeft = existsSync(log) || existsSync(`${path}-shm`);
  if (!isLeft || !existsSync(other)) return;
  if (identityOf(other) === identityOf(path) || areEqual(other, path)) return;
  throw new CommandError(
    `${path} was replaced while latchkey had it open: ${log} and ${path}-shm belong to the file that stood there before, which is kept as ${other}`,
    `end the latchkey that still runs on it, if one does; then, to go on with the new file: rm -f ${log} ${path}-shm; to go back to the one before: mv ${other} ${path}`,
  );
}

/** A new database must not be made where one was lost, and never under another one's log. */
function requireNothingLeft(path: string, log: string, other: string): void {
  // Another first start may have made it a moment ago: its own name comes first, then the others.
  const isGone = (left: boolean) => left && !existsSync(path);
  const anew = `to start with an empty database: rm -f ${other} ${log} ${path}-shm`;
  if (isGone(existsSync(other)))
    throw new CommandError(
      `${path} is gone, but what latchkey had open is kept as ${other}`,
      `to go on with it: mv ${other} ${path}; ${anew}`,
    );
  if (isGone((statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 0))
    throw new CommandError(
      `${path} is gone, but its log ${log} is there, with what was written last`,
      `to go on: put ${path} back; ${anew}`,
    );
}

/** Which file a name stands for; null where there is none. */
export function identityOf(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? null : `${found.dev}:${found.ino}`;
}

/** What a file's first bytes say that it is not: https://sqlite.org/fileformat.html §1.3. */
function damageOf(descriptor: number): string | null {
  const header = Buffer.alloc(100);
  if (readSync(descriptor, header, 0, header.length, 0) < header.length) return "is empty or cut short";
  if (header.toString("latin1", 0, sqliteMagic.length) !== sqliteMagic) return "is not a SQLite database";
  const pageSize = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  return fstatSync(descriptor).size < pageSize * header.readUInt32BE(28) ? "is cut short" : null;
}

/** Whether two files hold the same bytes: a copy of a data directory has files of its own. */
function areEqual(one: string, other: string): boolean {
  if (statSync(one).size !== statSync(other).size) return false;
  const descriptors = [openSync(one, "r"), openSync(other, "r")];
  const [left, right] = [Buffer.alloc(compareBytes), Buffer.alloc(compareBytes)];
  try {
    for (;;) {
      const [read = 0] = descriptors.map((descriptor, at) => readSync(descriptor, at === 0 ? left : right));
      if (!left.subarray(0, read).equals(right.subarray(0, read))) return false;
      if (read === 0) return true;
    }
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}
