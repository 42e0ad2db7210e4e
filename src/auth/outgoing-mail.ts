import type { Database, Transaction } from "../database/database.ts";
import { insertMail, waitingMax, withdrawMails } from "../database/outbox.ts";
import { AppError } from "../errors.ts";
import { type Language, languageOf } from "../language.ts";
import type { Unit, Units } from "./unit-of-work.ts";

/** What a mail says, kept until it is sent: whatever only its recipient may know is made when it is. */
export interface MailPayloads {
  /** Somebody asked for a new password for this address, which may be nobody's. */
  recovery: {
    /** Of a page elsewhere that takes the token; null for the hosted one. */
    readonly redirectTo: string | null;
    /** Where the hosted page leads in the end; null for where it leads anyway. */
    readonly callbackUrl: string | null;
  };
  /** Somebody is to confirm an address, which may be nobody's, or confirmed. */
  verification: { readonly callbackUrl: string | null };
  /** Somebody signed up with an address that has an account. */
  sign_up_taken: { readonly callbackUrl: string | null };
  /** A user wants to have this address instead of another. */
  email_change: {
    readonly userId: string;
    /** Of the password and the address at that time: it is void once one of them is another. */
    readonly state: string;
    readonly callbackUrl: string | null;
  };
  /** This address was replaced. */
  email_changed: { readonly userId: string; readonly to: string } & Happening;
  password_changed: Happening;
  new_device: Happening;
  account_deleted: Happening;
}

/** What people are told of, so that they can say whether it was them. */
export interface Happening {
  /** In ms since the epoch. */
  readonly at: number;
  /** As it was sent, cut to 512 characters; empty for none. */
  readonly userAgent: string;
  readonly clientAddress: string;
}

export type MailKind = keyof MailPayloads;

const kinds: Readonly<Record<MailKind, true>> = {
  recovery: true,
  verification: true,
  sign_up_taken: true,
  email_change: true,
  email_changed: true,
  password_changed: true,
  new_device: true,
  account_deleted: true,
};
export const mailKinds = Object.keys(kinds) as readonly MailKind[];

export type MailPayload<Kind extends MailKind> = MailPayloads[Kind] & { readonly language: Language };

export interface OutgoingMail<Kind extends MailKind> {
  readonly kind: Kind;
  /** In canonical form. */
  readonly recipient: string;
  /** Whether it is written however many wait: what it tells of has happened, and is no stranger's to cause. */
  readonly isCertain?: true;
  /** Of the request that causes it. */
  readonly headers: Headers;
  readonly payload: MailPayloads[Kind];
}

/** Puts mail into the outbox: with all else that the current unit writes, or not at all. @throws AppError 503. */
export type PostMail = <Kind extends MailKind>(unit: Unit, mail: OutgoingMail<Kind>) => Promise<void>;

export function createPostMail({ provider }: Database, units: Units, now: () => number): PostMail {
  return async (unit, { kind, recipient, headers, payload, isCertain = false }) => {
    const transaction = await units.write();
    if (transaction === undefined) throw new TypeError("mail is written in a unit of work");
    const mail = {
      // No hyphen in it: an operator types it as an argument.
      id: crypto.randomUUID().replaceAll("-", ""),
      kind,
      recipient,
      payload: JSON.stringify({ ...payload, language: languageOf(headers) }),
      createdAt: now(),
    };
    const most = isCertain ? Number.MAX_SAFE_INTEGER : waitingMax;
    const isTaken = await insertMail(transaction, provider, mail, most);
    if (!isTaken)
      throw new AppError("MAIL_QUEUE_FULL", "Too much mail waits to be sent. Try again in a few minutes.", {
        headers: { "Retry-After": "300" },
      });
    unit.mails += 1;
  };
}

/** What has a recovery link in it, which becomes void with those that were sent. */
const withRecoveryLink: readonly MailKind[] = ["recovery", "sign_up_taken"];

/** Takes back, in a transaction, what waits with a recovery link for somebody. */
export async function withdrawRecoveryMails(
  transaction: Transaction,
  provider: Database["provider"],
  recipient: string,
): Promise<void> {
  await withdrawMails(transaction, provider, withRecoveryLink, recipient);
}
