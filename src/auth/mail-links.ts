import { timingSafeEqual } from "node:crypto";
import type { Config } from "../config/config.ts";
import type { Database, Transaction } from "../database/database.ts";
import { deleteTokens, findTokens, insertToken, listTokens, takeToken } from "../database/one-time-tokens.ts";
import { findMails, withdrawMail } from "../database/outbox.ts";
import { PremiseLost, requirePremises } from "../database/premises.ts";
import { storeFailure } from "../database/store-error.ts";
import { findCredential, setVerified, setVerifiedEmail } from "../database/credentials.ts";
import { deleteSessions, deleteUser, findUser } from "../database/users.ts";
import { AppError } from "../errors.ts";
import type { DeviceEndings } from "./device-endings.ts";
import { type Body, checkInput, type InputRules } from "./input.ts";
import { type IssuedToken, mailedCode, tokenId, typedCode } from "./one-time-token.ts";
import type { Happening, PostMail } from "./outgoing-mail.ts";
import { endRecovery, stateOf } from "./recovery.ts";
import type { Unit, Units } from "./unit-of-work.ts";

const hourMs = 60 * 60 * 1_000;
/** How long a link of each purpose works. */
const lifetimes = { verification: 24 * hourMs, email_change: 24 * hourMs, email_undo: 72 * hourMs } as const;

/** What a mailed link does, once somebody says so on the page that it opens. */
export type LinkPurpose = keyof typeof lifetimes;
const purposes = Object.keys(lifetimes) as LinkPurpose[];

/** What a link is for; kept beside the hash of its token. */
interface LinkValue {
  readonly userId: string;
  /** The user's address that it is bound to; of `email_undo`, the one before. */
  readonly from: string;
  /** Of a change: the password and the address that it is bound to. */
  readonly state?: string;
  /** The address that replaces that one, or replaced it. */
  readonly to?: string;
  /** Of the mail, whose code stands for the link. */
  readonly mailId: string;
  /** When it was caused, in ms since the epoch; of `email_undo`, when the address was changed. */
  readonly at: number;
}

interface FoundLink {
  readonly purpose: LinkPurpose;
  readonly from: string;
  readonly to: string | null;
}

/** Links that confirm an address, replace one and undo that. Opening one changes nothing. */
export interface MailLinks {
  /** What a token does; null where it does nothing, or no more. @throws AppError 503. */
  find(token: unknown): Promise<FoundLink | null>;
  /** Does it, once. Nobody is signed in. @throws AppError 400 and 503. */
  use(body: Body, request: LinkRequest, unit: Unit): Promise<Response>;
  /** The same by the code of an address. @throws AppError 400 and 503. */
  useCode(body: Body, unit: Unit): Promise<Response>;
}

interface LinkRequest {
  readonly headers: Headers;
  readonly happening: Happening;
}

export interface MailLinkDeps {
  readonly config: Pick<Config, "emailVerification">;
  readonly database: Database;
  readonly units: Units;
  readonly rules: InputRules;
  readonly post: PostMail;
  readonly deviceEndings: DeviceEndings;
  /** The first signs. */
  readonly secrets: () => readonly string[];
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

/** Gives out a mail's link, in a transaction that holds the user's row. */
export async function issueLink(
  transaction: Transaction,
  provider: Database["provider"],
  purpose: LinkPurpose,
  value: LinkValue,
  { id }: IssuedToken,
  now: number,
): Promise<void> {
  const expiresAt = now + lifetimes[purpose];
  const identifier = identifierOf(purpose, value.userId);
  await insertToken(transaction, provider, { id, identifier, value: JSON.stringify(value), expiresAt }, now);
}

/** Where a token leads, whichever host a request named. */
export function linkUrl(baseUrl: string, token: string, callbackUrl: string | null): string {
  const onward = callbackUrl === null ? "" : `&callbackUrl=${encodeURIComponent(callbackUrl)}`;
  return `${baseUrl}/confirm?token=${token}${onward}`;
}

export function createMailLinks({
  config,
  database,
  units,
  rules,
  post,
  deviceEndings,
  secrets,
  now,
}: MailLinkDeps): MailLinks {
  const { provider } = database;
  const find = async (token: unknown) => {
    const ids = purposes.map((purpose) => tokenId(purpose, token));
    const found = await findTokens(
      database,
      ids.flatMap((id) => id ?? []),
      now(),
    );
    const [first] = found;
    const purpose = purposes[ids.findIndex((id) => id === first?.id)];
    if (first === undefined || purpose === undefined) return null;
    const value = readValue(first.value);
    const credential = await findCredential({ query: database.read }, provider, value.userId);
    const isBound = credential !== undefined && (purpose === "email_undo" || credential.email === value.from);
    return isBound ? { id: first.id, purpose, value } : null;
  };
  /** Gives an account the address back, which nobody who took it since keeps: they never showed to have it. */
  const takeBack = async (transaction: Transaction, { userId, from, at }: LinkValue) => {
    if (await setVerifiedEmail(transaction, provider, userId, from, now())) return true;
    const reader = { provider, read: transaction.query };
    const found = await findUser(reader, "", from);
    if (found === undefined) return false;
    // Held, and read again: they may show to have it at this moment.
    await requirePremises(transaction, provider, { userId: found.id });
    const holder = await findUser(reader, found.id, undefined);
    if (holder === undefined || holder.email !== from || holder.emailVerified || holder.createdAt < at)
      return false;
    await deleteUser(transaction, provider, holder.id);
    return await setVerifiedEmail(transaction, provider, userId, from, now());
  };
  /**
   * Ends what undoes later changes, also where its mail waits. What undoes earlier ones goes on: whoever took an account over
   * must not end that by a change of their own.
   */
  const endLater = async (transaction: Transaction, { userId, at }: LinkValue) => {
    for (const other of await listTokens(transaction, provider, identifierOf("email_undo", userId), now()))
      if (readValue(other.value).at >= at) await takeToken(transaction, provider, other.id, now());
    for (const kind of ["email_changed", "email_change"] as const)
      for (const mail of await findMails(
        transaction,
        provider,
        kind,
        JSON.stringify({ userId }).slice(1, -1),
      )) {
        const caused = JSON.parse(mail.payload) as { readonly at?: number };
        if (caused.at === undefined || caused.at >= at) await withdrawMail(transaction, provider, mail.id);
      }
  };
  /** Inside the transaction that holds the user's row. @returns whether it was this one that used the link. */
  const apply = async (
    transaction: Transaction,
    { id, purpose, value }: { id: string; purpose: LinkPurpose; value: LinkValue },
    unit: Unit,
    request: LinkRequest | null,
  ): Promise<boolean> => {
    const { userId, from, to } = value;
    const taken = await takeToken(transaction, provider, id, now());
    const credential = await findCredential(transaction, provider, userId);
    if (taken === undefined || credential === undefined) return false;
    if (purpose === "email_undo") {
      if (!(await takeBack(transaction, value))) throw emailTaken();
      await deleteSessions(transaction, provider, userId);
      await deviceEndings.end(transaction, from);
      await endRecovery(transaction, provider, userId);
      await endPending(transaction, provider, userId);
      await endLater(transaction, value);
      return true;
    }
    if (credential.email !== from || (to !== undefined && stateOf(credential) !== value.state)) return false;
    await endPending(transaction, provider, userId);
    if (to === undefined) {
      await setVerified(transaction, provider, userId, now());
      return true;
    }
    if (!(await setVerifiedEmail(transaction, provider, userId, to, now()))) throw emailTaken();
    await endRecovery(transaction, provider, userId);
    // Who never showed to have the address has nothing to undo: it may be a stranger's, by a slip of the fingers.
    const wasTheirs = credential.emailVerified || config.emailVerification === "off";
    if (request === null || !wasTheirs) return true;
    const { headers, happening } = request;
    const payload = { ...happening, userId, to };
    await post(unit, { kind: "email_changed", recipient: from, headers, payload, isCertain: true });
    return true;
  };
  const useFound = async (
    found: { id: string; purpose: LinkPurpose; value: LinkValue } | null,
    ended: () => AppError,
    unit: Unit,
    request: LinkRequest | null,
  ): Promise<Response> => {
    if (found === null) throw ended();
    const { userId } = found.value;
    unit.seen.userId = userId;
    unit.premises.userId = userId;
    try {
      const isUsed = await units.run(
        unit,
        async () => {
          const transaction = await units.write();
          return transaction !== undefined && (await apply(transaction, found, unit, request));
        },
        (used) => used,
      );
      if (!isUsed) throw ended();
    } catch (error) {
      throw error instanceof PremiseLost ? error : storeFailure(error);
    }
    return Response.json({ status: true }, { headers: { "Cache-Control": "no-store" } });
  };
  return {
    async find(token) {
      const found = await find(token);
      return found && { purpose: found.purpose, from: found.value.from, to: found.value.to ?? null };
    },
    async use(body, request, unit) {
      const { token } = checkInput("confirm", body, rules);
      return await useFound(await find(token), linkEnded, unit, request);
    },
    async useCode(body, unit) {
      const { email, code } = checkInput("verifyEmailCode", body, rules);
      const typed = typedCode(code);
      const user = await findUser(database, "", String(email));
      const links = await listTokens(
        { query: database.read },
        provider,
        identifierOf("verification", user?.id ?? ""),
        now(),
      );
      const isOf = (value: LinkValue) =>
        typed !== null &&
        value.from === user?.email &&
        secrets().some((secret) => isSame(mailedCode(value.mailId, secret), typed));
      const found = links
        .map(({ id, value }) => ({ id, purpose: "verification" as const, value: readValue(value) }))
        // The newest mail's alone, so that many mails are no more tries.
        .toSorted((one, other) => other.value.at - one.value.at)
        .slice(0, 1)
        .find(({ value }) => isOf(value));
      return await useFound(found ?? null, wrongCode, unit, null);
    },
  };
}

/** Ends what a change of the address, or its confirmation, makes void. */
export async function endPending(transaction: Transaction, provider: Database["provider"], userId: string) {
  await deleteTokens(transaction, provider, identifierOf("verification", userId));
  await deleteTokens(transaction, provider, identifierOf("email_change", userId));
}

function identifierOf(purpose: LinkPurpose, userId: string): string {
  return `latchkey:${purpose}:${userId}`;
}

function readValue(value: string): LinkValue {
  return JSON.parse(value) as LinkValue;
}

function isSame(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one), Buffer.from(other));
}

function linkEnded(): AppError {
  return new AppError("INVALID_LINK", "This link no longer works. Ask for a new one.");
}

function wrongCode(): AppError {
  return new AppError("INVALID_CODE", "This code is wrong, or no longer works.");
}

function emailTaken(): AppError {
  return new AppError("EMAIL_TAKEN", "Somebody else has this address by now.");
}
