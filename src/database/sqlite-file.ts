import { closeSync, openSync, readSync, statSync } from "node:fs";
import { CommandError } from "../errors.ts";
import { sqliteMagic } from "./sqlite-connection.ts";

/** @throws CommandError where a file does not begin as a database does. */
export function requireSqliteFile(
  path: string,
  remedy = `restore ${path} from a backup, or move it away to start with an empty database`,
): void {
  if (!statSync(path).isFile()) throw new CommandError(`${path} is not a file`, remedy);
  const start = Buffer.alloc(sqliteMagic.length);
  const descriptor = openSync(path, "r");
  const read = readSync(descriptor, start);
  closeSync(descriptor);
  // SQLite takes a zero-byte file for a new database; here it is what a full disk or a bad copy leaves behind.
  if (read === 0) throw new CommandError(`${path} is empty`, remedy);
  if (start.toString("latin1") !== sqliteMagic)
    throw new CommandError(`${path} is not a SQLite database`, remedy);
}
