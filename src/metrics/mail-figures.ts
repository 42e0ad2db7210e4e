import type { Database } from "../database/database.ts";
import { countMails } from "../database/outbox.ts";
import type { Figures } from "./figures.ts";

/** How long a count is good for, however often somebody asks. */
const goodMs = 5_000;
/** What is not counted by then is there for whoever asks next. */
const patienceMs = 1_000;
/** A database that sleeps when nobody asks is left alone: what waits there changes by nothing that sleeps. */
const idleAfterMs = 60_000;

/**
 * Builds what counts the mail that waits, of all processes on the database.
 * @returns nothing while that is not known.
 */
export function createMailFigures(database: Database, now: () => number): () => Promise<Figures> {
  let counted: Awaited<ReturnType<typeof countMails>> | undefined;
  let last: { readonly at: number; readonly done: Promise<void> } | undefined;
  const count = async () => {
    try {
      counted = await countMails(database);
    } catch {
      // The database's other figures say why.
      counted = undefined;
    }
  };
  return async () => {
    const isGood = last !== undefined && performance.now() - last.at <= goodMs;
    const isAsleep = (database.idleMs?.() ?? 0) > idleAfterMs;
    if (!isGood && !isAsleep) last = { at: performance.now(), done: count() };
    await Promise.race([last?.done, Bun.sleep(patienceMs)]);
    if (counted === undefined) return {};
    const { waiting, failed, oldestAt } = counted;
    return {
      latchkey_mails_waiting: { "": [waiting] },
      latchkey_mails_given_up: { "": [failed] },
      latchkey_mail_oldest_seconds: { "": [oldestAt === null ? 0 : Math.max(0, (now() - oldestAt) / 1_000)] },
    };
  };
}
