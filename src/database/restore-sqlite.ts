import { Database as SqliteDatabase } from "bun:sqlite";
import { existsSync, realpathSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { createDurably, giveToOwner, replaceDurably } from "../durable-file.ts";
import { CommandError } from "../errors.ts";
import { checkSqlite, copySqlite, type SqliteContent } from "./copy-sqlite.ts";
import { identityOf, otherName, requireOwnLog } from "./open-file.ts";
import { isBusy, retryWhileBusy } from "./retry-while-busy.ts";
import { errorCode } from "./store-error.ts";

/** How long it waits for whoever has the file open. */
const lockTimeoutMs = 2_000;

export interface Restored {
  readonly content: SqliteContent;
  /** The name of what was there; null where nothing was. */
  readonly kept: string | null;
}

interface Steps {
  /** Makes the folders where they are missing. */
  readonly beforeCopy: () => void;
  /** Tries the copy before it is put anywhere. */
  readonly tryCopy?: (copy: string, content: SqliteContent) => Promise<void>;
  /** Runs when the copy is on the disk and nobody can open the old one any more. */
  readonly beforeExchange: () => Promise<void>;
}

/**
 * Puts a copy of the database `source` in the place of the one at `path`, or where none is yet. Whenever the machine stops,
 * the old one stands there or the new one, whole; its log is brought into the old one first.
 * @throws CommandError where `source` is not sound, where somebody has `path` open, or where the disk is full.
 */
export async function restoreSqlite(
  source: string,
  path: string,
  { beforeCopy, tryCopy, beforeExchange }: Steps,
): Promise<Restored> {
  const content = await checkSource(source, path);
  requireOwnLog(path);
  beforeCopy();
  const make = async (temporary: string) => {
    await copySqlite(source, temporary);
    const copied = await checkSqlite(temporary, "try again");
    if (copied.users !== content.users || copied.sessions !== content.sessions)
      throw new CommandError(`${source} was written to while it was copied`, "try again");
    await tryCopy?.(temporary, copied);
    giveToOwner(temporary, existsSync(path) ? path : dirname(path));
  };
  if (!existsSync(path)) {
    requireNoLog(path);
    const isOurs = await createDurably(path, async (temporary) => {
      await make(temporary);
      await beforeExchange();
    });
    if (!isOurs) throw inUse(path);
    return { content, kept: null };
  }
  const real = realpathSync(path);
  // Before the copy is made, which takes its time.
  await holdAlone(real, async () => {});
  const kept = await replaceDurably(real, make, (exchange) =>
    holdAlone(real, async () => {
      await beforeExchange();
      rmSync(otherName(real), { force: true });
      exchange();
    }),
  );
  return { content, kept };
}

async function checkSource(source: string, path: string): Promise<SqliteContent> {
  const remedy = "name a file that latchkey backup wrote";
  if (!existsSync(source)) throw refused(`there is no file ${source}`, remedy);
  if (identityOf(source) === identityOf(path))
    throw refused(`${source} is the database that latchkey works on`, remedy);
  let content: SqliteContent;
  try {
    content = await checkSqlite(source, remedy);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw refused(error.message, error.remedy, error);
  }
  const [unknown] = content.unknown;
  if (unknown === undefined) return content;
  throw refused(`${source} was made by a newer latchkey (${unknown})`, "restore it by the newer latchkey");
}

/**
 * Runs `work` while no process has the file open, this one's lock apart, and with its log brought in.
 * A connection in WAL mode holds a lock for as long as it lasts: only when there is no other can the mode be left.
 */
async function holdAlone(path: string, work: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + lockTimeoutMs;
  const opened = identityOf(path);
  const db = new SqliteDatabase(path, { readwrite: true, create: false });
  try {
    await retryWhileBusy(() => {
      if (db.inTransaction) db.run("ROLLBACK");
      db.run("PRAGMA busy_timeout = 0");
      db.run("PRAGMA journal_mode = DELETE");
      db.run("BEGIN EXCLUSIVE");
      using mode = db.prepare<{ journal_mode: string }, []>("PRAGMA journal_mode");
      // Somebody opened it in between.
      if (mode.get()?.journal_mode !== "delete" || identityOf(path) !== opened)
        throw Object.assign(new Error("the file is in use"), { code: "SQLITE_BUSY" });
    }, deadline);
    await work();
  } catch (error) {
    if (isBusy(error)) throw inUse(path);
    if (!/^SQLITE_(?:CORRUPT|NOTADB)/.test(errorCode(error) ?? "")) throw error;
    throw new CommandError(
      `${path} is damaged, so that it cannot be told whether somebody has it open`,
      `end every latchkey on it, then: mv ${path} ${path}.damaged; rm -f ${path}-wal ${path}-shm ${path}-open; and restore again`,
      { cause: error },
    );
  } finally {
    if (db.inTransaction) db.run("ROLLBACK");
    db.close(true);
  }
}

/** What is left of a database that is gone would be played into the new one, or is still open. */
function requireNoLog(path: string): void {
  const left = ["-wal", "-shm", "-journal"].map((suffix) => path + suffix).filter((name) => existsSync(name));
  if (left.length === 0) return;
  throw new CommandError(
    `${path} is gone, but ${left.join(" and ")} of it is there`,
    `end the latchkey that runs on it, if one does; then: rm -f ${left.join(" ")}; and restore again`,
  );
}

function inUse(path: string): CommandError {
  return new CommandError(
    `${path} is in use: a latchkey, or another program, has it open`,
    "end it, such as by systemctl stop latchkey, and try again",
  );
}

function refused(message: string, remedy: string, cause?: unknown): CommandError {
  return new CommandError(message, remedy, { cause, wrongInput: "unusable_backup" });
}
