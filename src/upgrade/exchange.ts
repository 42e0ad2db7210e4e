import { existsSync, linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { besideOf, overwriteDurably, renameDurably } from "../durable-file.ts";

/** What is known of an upgrade from before the exchange until its end, so that another run can bring it to one. */
export interface Journal {
  /** Versions. */
  readonly from: string;
  readonly to: string;
  /** Of the new executable, in hexadecimal. */
  readonly sha256: string;
  /** A backup's path; null where none was made. */
  readonly snapshot: string | null;
  /** Tags of the migrations that the new one applies. */
  readonly pending: readonly string[];
}

/** Where the executable before the present one is kept. */
export const previousOf = (executable: string) => `${executable}.previous`;
const journalOf = (executable: string) => `${executable}.upgrade`;

/** Null where no upgrade was cut short. */
export function readJournal(executable: string): Journal | null {
  const path = journalOf(executable);
  if (!existsSync(path)) return null;
  return JSON.parse(readFileSync(path, "utf8")) as Journal;
}

export function endJournal(executable: string): void {
  rmSync(journalOf(executable), { force: true });
}

/**
 * Puts a staged file in the executable's place: at any moment the old one stands there or the new one, whole, and the old
 * one also as `<executable>.previous`.
 * @param isProven whether the present one has served; one that an upgrade cut short has left is not kept.
 */
export async function exchange(
  executable: string,
  staged: string,
  journal: Journal,
  isProven: boolean,
): Promise<void> {
  await overwriteDurably(journalOf(executable), (temporary) =>
    writeFileSync(temporary, `${JSON.stringify(journal)}\n`),
  );
  const previous = previousOf(executable);
  if (isProven || !existsSync(previous)) {
    await besideOf(executable, (temporary) => {
      linkSync(executable, temporary);
      renameDurably(temporary, previous);
    });
  }
  renameDurably(staged, executable);
}

/** Puts the previous executable back. */
export function exchangeBack(executable: string): void {
  renameDurably(previousOf(executable), executable);
}

/** Removes what an upgrade that was killed left of its copies, by whoever keeps others from making one. */
export function removeUnfinished(executable: string): void {
  const [folder, base] = [dirname(executable), basename(executable)];
  for (const name of readdirSync(folder))
    if (name.startsWith(base) && /^(?:\.upgrade)?\.\d+-[\da-f-]{36}\.tmp$/.test(name.slice(base.length)))
      rmSync(join(folder, name), { force: true });
}
