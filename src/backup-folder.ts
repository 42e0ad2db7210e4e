import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { CommandError, reasonOf } from "./errors.ts";

/** What a backup in a folder is called, with its instant. */
const ownName = /^latchkey-(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3}Z)\.(?:db|dump)$/;
/** What one that was cut short is called, with the process that made it. */
const unfinishedName = /^latchkey-[\dTZ.-]+\.(?:db|dump)(?:\.secret)?\.(\d+)-[\w-]+\.tmp(?:-\w+)?$/;

/** A backup, and when it was made. */
export interface MadeBackup {
  readonly path: string;
  /** In ms since the epoch, as its name says. */
  readonly at: number;
  readonly bytes: number;
}

/** @param kind of an embedded database, or of a server's. */
export function backupNameAt(now: number, kind: "db" | "dump" = "db"): string {
  return `latchkey-${new Date(now).toISOString().replaceAll(":", "-")}.${kind}`;
}

/** @throws CommandError where the backup could not be put there. */
export function requireRoom(given: string, keep: number | undefined): void {
  const found = statSync(given, { throwIfNoEntry: false });
  const wrong = (message: string, remedy: string) =>
    new CommandError(message, remedy, { wrongInput: "unusable_path" });
  if (keep !== undefined) {
    if (found?.isDirectory() === false)
      throw wrong(`${given} is not a folder`, "name a folder with --keep, or leave --keep away");
    try {
      if (found === undefined) mkdirSync(given, { recursive: true });
      accessSync(given, constants.W_OK);
    } catch (error) {
      throw new CommandError(
        `${given} cannot be written to: ${reasonOf(error)}`,
        "give the folder to the user that makes the backups; a systemd service takes ReadWritePaths= as well (docs/install.md)",
      );
    }
  } else if (found?.isDirectory() === true)
    throw wrong(`${given} is a folder`, `name a file in it, or add --keep 7`);
  else if (!existsSync(dirname(given)))
    throw wrong(`there is no folder ${dirname(given)}`, `mkdir -p ${dirname(given)}`);
}

/** The newest backup in a folder; null where there is none. One from the future is passed over: a clock was wrong. */
export function newestBackup(folder: string, now: number): MadeBackup | null {
  const known = namesIn(folder).flatMap((name) => {
    const [, date, hours, minutes, seconds] = ownName.exec(name) ?? [];
    const at = Date.parse(`${date}T${hours}:${minutes}:${seconds}`);
    return at <= now ? [{ name, at }] : [];
  });
  const newest = known.toSorted((one, other) => other.at - one.at)[0];
  const path = join(folder, newest?.name ?? "");
  const found = newest === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
  return newest === undefined || found === undefined ? null : { path, at: newest.at, bytes: found.size };
}

/** Removes the oldest backups beside the newest, and what belongs to them. @returns their paths. */
export function removeOldest(newest: string, keep: number): readonly string[] {
  const folder = dirname(newest);
  const others = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && ownName.test(entry.name) && entry.name !== basename(newest))
    .filter(({ name }) => extname(name) === extname(newest))
    .map(({ name }) => join(folder, name))
    .toSorted();
  const oldest = others.slice(0, Math.max(0, others.length - (keep - 1)));
  for (const path of oldest) for (const each of [path, `${path}.secret`]) rmSync(each, { force: true });
  return oldest;
}

/**
 * Removes what processes left that were ended while they made a backup, by whoever keeps others from making one.
 * @param pid of whose alone; of all by default.
 */
export function removeUnfinished(folder: string, pid?: number): void {
  for (const name of namesIn(folder)) {
    const maker = unfinishedName.exec(name)?.[1];
    if (maker !== undefined && (pid === undefined || Number(maker) === pid))
      rmSync(join(folder, name), { force: true });
  }
}

function namesIn(folder: string): readonly string[] {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(folder) : [];
}
