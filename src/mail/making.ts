import type { Config } from "../config/config.ts";
import type { Database, Transaction } from "../database/database.ts";
import { type ClaimedMail, isMailHeld } from "../database/outbox.ts";
import { PremiseLost, requirePremises } from "../database/premises.ts";
import type { Language } from "../language.ts";
import { fill } from "../pages/views/texts.tsx";
import { mailLanguages } from "./views/messages/languages.ts";
import type { MailMessages } from "./views/messages/en.ts";

/** Whose mail it is. */
export interface FrameDeps {
  readonly config: Pick<Config, "baseUrl" | "brandName" | "contact">;
}

export interface PrepareDeps extends FrameDeps {
  readonly database: Database;
  /** Of which the first signs. */
  readonly secrets: () => readonly string[];
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

/**
 * Runs `work` in a transaction that holds the user's row, where the mail is still to be sent by this attempt. The user
 * comes before the mail, as in requests that take mail back. @returns null where it is not, or the user is not there.
 */
export async function holding<T>(
  { database }: PrepareDeps,
  mail: ClaimedMail,
  userId: string,
  work: (transaction: Transaction) => Promise<T | null>,
): Promise<T | null> {
  const transaction = await database.begin();
  try {
    await requirePremises(transaction, database.provider, { userId });
    if (!(await isMailHeld(transaction, database.provider, mail))) return null;
    const result = await work(transaction);
    await transaction.commit();
    return result;
  } catch (error) {
    if (error instanceof PremiseLost) return null;
    throw error;
  } finally {
    await transaction.rollback();
  }
}

/** What every mail has, and how it says a sentence. */
export function framed({ config: { baseUrl, brandName, contact } }: FrameDeps, { code }: Language) {
  const messages: MailMessages = mailLanguages[code];
  const values = { brand: brandName, host: new URL(baseUrl).host, contact: contact ?? "" };
  const say = (sentence: string, more: Readonly<Record<string, string>> = {}) =>
    fill(sentence, { ...values, ...more });
  const footer = [say(messages.why), ...(contact === null ? [] : [say(messages.questions)])];
  return { messages, say, frame: { language: code, greeting: messages.greeting, footer } };
}
