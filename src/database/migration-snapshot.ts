import { readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { giveToOwner, overwriteDurably } from "../durable-file.ts";
import { CommandError, reasonOf } from "../errors.ts";
import type { SchemaStatus } from "./apply-migrations.ts";
import { checkSqlite, copySqlite, type SqliteContent } from "./copy-sqlite.ts";
import { restoreSqlite } from "./restore-sqlite.ts";

/** What follows the database's name: the tag of the first migration that the copy is from before. */
const ownSuffix = /^\.before-\d{4}_\w+$/;
/** What a start that was killed left of one. */
const unfinishedSuffix = /^\.before-\d{4}_\w+\.[\w-]+\.tmp(?:-\w+)?$/;

/**
 * Copies a database before its schema changes, and tries the copy, while the caller keeps everybody else from writing.
 * @returns where to; undefined where nothing is pending, or nobody has an account. @throws CommandError where it has no room.
 */
export async function keepBeforeMigration(
  path: string,
  { applied, pending }: SchemaStatus,
  hasPeople: () => boolean,
): Promise<string | undefined> {
  const [first] = pending;
  // Where none is applied it is new, or another service's: adoption keeps a copy of its own.
  if (first === undefined || applied.length === 0 || !hasPeople()) return undefined;
  const snapshot = `${path}.before-${first}`;
  remove(path, unfinishedSuffix);
  try {
    // One of a start before, which was killed, may be older than what was written since.
    await overwriteDurably(snapshot, async (temporary) => {
      await copySqlite(path, temporary);
      await checkSqlite(temporary, "latchkey doctor");
      giveToOwner(temporary, path);
    });
  } catch (error) {
    throw new CommandError(
      `${path} could not be copied before its schema changes: ${reasonOf(error)}`,
      error instanceof CommandError ? error.remedy : "latchkey doctor",
      { cause: error },
    );
  }
  return snapshot;
}

/** Removes the copies of earlier upgrades. */
export function dropSnapshots(path: string, but: string): void {
  remove(path, ownSuffix, but);
}

function remove(path: string, suffix: RegExp, but?: string): void {
  const [folder, base] = [dirname(path), basename(path)];
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    if (name.startsWith(base) && suffix.test(name.slice(base.length)) && file !== but) rmSync(file);
  }
}

/**
 * Sees that a database is as it was before a migration that failed and was rolled back; where it is not, the copy takes its
 * place. @returns what to tell.
 */
export async function settleFailure(path: string, snapshot: string, error: unknown): Promise<CommandError> {
  const failure = `the schema could not be brought up to date: ${reasonOf(error)}`;
  const remedy = error instanceof CommandError ? error.remedy : "see to the reason, and start it again";
  const tell = (outcome: string, next = remedy) =>
    new CommandError(`${failure}; ${outcome}`, next, { cause: error });
  const before = await checkSqlite(snapshot, remedy);
  const damage = await checkSqlite(path, remedy).then(
    (now) => (isAsBefore(now, before) ? null : "it is not as it was"),
    (cause: unknown) => reasonOf(cause),
  );
  if (damage === null) {
    rmSync(snapshot, { force: true });
    return tell(`${path} is as it was`);
  }
  try {
    const { kept } = await restoreSqlite(snapshot, path, { beforeCopy() {}, async beforeExchange() {} });
    return tell(`what it was before was put back, and ${kept} is what became of it (${damage})`);
  } catch (cause) {
    return tell(
      `${damage}, and what it was before could not be put back: ${reasonOf(cause)}`,
      `latchkey restore ${snapshot}`,
    );
  }
}

function isAsBefore(now: SqliteContent, before: SqliteContent): boolean {
  // Others may have signed in since it was rolled back.
  return now.pending.join() === before.pending.join() && now.users > 0;
}
