import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Config } from "../config/config.ts";
import { secretPath } from "../data-directory.ts";
import { type Check, failed, passed, warned } from "./check.ts";

const mebibyte = 1024 * 1024;
const scarceBytes = 512 * mebibyte;
const exhaustedBytes = 16 * mebibyte;
/** `f_type` of statfs(2): file systems that cannot share memory between machines, which SQLite's WAL needs. */
const networkFileSystems: Readonly<Record<number, string>> = {
  0x6969: "NFS",
  0x517b: "SMB",
  0xff534d42: "CIFS",
  0xfe534d42: "SMB2",
  0x01021997: "9p",
  0x00c36400: "Ceph",
};

/** Checks who may read the data directory's files, and whether there is room for more. */
function fileChecks(dataDir: string, databasePath: string): readonly Check[] {
  const places = [dataDir, dirname(databasePath)].map(existingPlace);
  return [
    ...directoryChecks(dataDir),
    modeCheck([secretPath(dataDir), databasePath, `${databasePath}-wal`, `${databasePath}-shm`]),
    ...[...new Set(places)].map((place) => spaceCheck(place)),
  ];
}

/** The nearest directory of a path that exists. */
function existingPlace(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : existingPlace(dirname(path));
}

function directoryChecks(dataDir: string): readonly Check[] {
  const name = "data directory";
  const place = existingPlace(dataDir);
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
  } catch {
    return [
      failed(
        name,
        `${place} may not be written to by this user`,
        `chown it to the user that runs latchkey, or set LATCHKEY_DATA_DIR`,
      ),
    ];
  }
  if (place !== dataDir) return [passed(name, `not made yet: the first start makes ${dataDir}`)];
  const mode = statSync(dataDir).mode & 0o777;
  if ((mode & 0o077) === 0) return [passed(name, `${dataDir}, mode ${octal(mode)}`)];
  return [warned(name, `${dataDir} is open to other users (mode ${octal(mode)})`, `chmod 700 ${dataDir}`)];
}

/** Others may not read the files at all; a group may be meant to, for backups. */
function modeCheck(paths: readonly string[]): Check {
  const name = "file modes";
  const present = paths.filter((path) => existsSync(path));
  const wide = present.filter((path) => (modeOf(path) & 0o077) !== 0);
  if (present.length === 0) return passed(name, "no files yet");
  if (wide.length === 0) return passed(name, `${present.length} files, mode 0600`);
  const detail = wide.map((path) => `${path} has mode ${octal(modeOf(path))}`).join(", ");
  const remedy = `chmod 600 ${wide.join(" ")}`;
  const isPublic = wide.some((path) => (modeOf(path) & 0o007) !== 0);
  return isPublic ? failed(name, detail, remedy) : warned(name, detail, remedy);
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function spaceCheck(place: string): Check {
  const { type, bavail, bsize } = statfsSync(place);
  const fileSystem = networkFileSystems[type >>> 0];
  if (fileSystem !== undefined) {
    return warned(
      "disk",
      `${place} is on ${fileSystem}: SQLite's write-ahead log is damaged when two machines use it`,
      "LATCHKEY_DATA_DIR on a local disk, or a PostgreSQL DATABASE_URL",
    );
  }
  return judgeFreeSpace(place, bavail * bsize);
}

/** Judges the free space at a place, in bytes: a full disk makes every write a 503. */
export function judgeFreeSpace(place: string, freeBytes: number): Check {
  const detail = `${Math.floor(freeBytes / mebibyte)} MiB free at ${place}`;
  const remedy = "free some space, or move LATCHKEY_DATA_DIR to a larger disk";
  if (freeBytes < exhaustedBytes) return failed("disk", detail, remedy);
  return freeBytes < scarceBytes ? warned("disk", detail, remedy) : passed("disk", detail);
}

/** The files' checks of an embedded database; a server's are its own. */
export function fileChecksOf({ dataDir, database }: Config): readonly Check[] {
  return database.driver === "sqlite" ? fileChecks(dataDir, database.path) : [];
}
