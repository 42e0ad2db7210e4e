import type { BackupsConfig, ConfigDeps } from "./config.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { parsePath } from "./file-path.ts";
import { parseInteger } from "./parse.ts";
import { type ConfigReader, readParsed } from "./reader.ts";

const folder = "LATCHKEY_BACKUP_DIR";
const names = ["LATCHKEY_BACKUP_EVERY", "LATCHKEY_BACKUP_KEEP"] as const;
const daySeconds = 24 * 60 * 60;
/** How many backups a folder may keep. */
export const keepMax = 1_000;

/** Reads LATCHKEY_BACKUP_DIR, LATCHKEY_BACKUP_EVERY and LATCHKEY_BACKUP_KEEP; null without a folder. */
export function readBackups(
  reader: ConfigReader,
  isServer: boolean,
  { cwd }: Pick<ConfigDeps, "cwd">,
): BackupsConfig | null {
  const directory = readParsed<string | null>(
    reader,
    folder,
    null,
    (text) => parsePath(text, cwd),
    (one) => one ?? "",
  );
  const everySeconds = readParsed(
    reader,
    names[0],
    daySeconds,
    // A minute at least: a plain `24`, meant as hours, would never stop.
    (text) => parseDuration(text, 60, 30 * daySeconds),
    formatDuration,
  );
  const keep = readParsed(reader, names[1], 7, (text) => parseInteger(text, 1, keepMax));
  if (directory === null) {
    for (const name of names)
      if (reader.entry(name) !== undefined && !reader.isRejected(folder))
        reader.reject(name, "is set without a folder", `set ${folder}, or remove it`);
    return null;
  }
  if (!isServer) return { directory, everySeconds, keep };
  reader.reject(
    folder,
    "is for an embedded database, and this one is a server's, which outlives this machine",
    "remove it, and have a timer run latchkey backup, which runs pg_dump",
  );
  return null;
}
