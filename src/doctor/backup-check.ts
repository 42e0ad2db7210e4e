import { accessSync, constants, statSync } from "node:fs";
import { newestBackup } from "../backup-folder.ts";
import type { BackupsConfig, Config } from "../config/config.ts";
import { formatDuration } from "../config/duration.ts";
import { type Check, failed, passed, warned } from "./check.ts";

const name = "backups";
/** Backups that may be due before anybody needs to hear of it: a server that was stopped makes one when it starts. */
const dueMax = 2;

/** Checks whether the server can write to the folder of its scheduled backups, and whether the newest one is new. */
export function backupChecks({ backups, dataDir }: Config, now: number): readonly Check[] {
  return backups === null ? [] : [folderCheck(backups, dataDir) ?? ageCheck(backups, now)];
}

/** What is wrong with the folder; undefined where nothing is. */
function folderCheck({ directory }: BackupsConfig, dataDir: string): Check | undefined {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found === undefined)
    return warned(
      name,
      `there is no folder ${directory}: a running server makes it, where it may`,
      `mkdir ${directory}, and give it to the user that runs latchkey; a systemd service takes ReadWritePaths= as well`,
    );
  if (!found.isDirectory())
    return failed(name, `${directory} is not a folder`, "set LATCHKEY_BACKUP_DIR to a folder");
  // Root may write anywhere; the server, whose the data directory is, may not.
  const owner = statSync(dataDir, { throwIfNoEntry: false })?.uid ?? found.uid;
  const remedy = `chown it to the user that runs latchkey, or set LATCHKEY_BACKUP_DIR`;
  if (process.geteuid?.() === 0 && owner !== 0) {
    if (found.uid === owner || (found.mode & 0o022) !== 0) return undefined;
    const whose = `${directory} belongs to another user (${found.uid}) than the data directory (${owner})`;
    return failed(name, `${whose}, so that the server makes no backup`, remedy);
  }
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return undefined;
  } catch {
    return failed(name, `${directory} may not be written to by this user`, remedy);
  }
}

function ageCheck({ directory, everySeconds }: BackupsConfig, now: number): Check {
  const every = `one is due every ${formatDuration(everySeconds)}`;
  const newest = newestBackup(directory, now);
  const remedy = "see that the server runs, and what backup_failed in its log says";
  if (newest === null) return warned(name, `none in ${directory}, and ${every}`, remedy);
  const made = `the newest is of ${new Date(newest.at).toISOString()}`;
  if (now - newest.at <= dueMax * everySeconds * 1_000) return passed(name, `${made}, in ${directory}`);
  return warned(name, `${made}, and ${every}`, remedy);
}
