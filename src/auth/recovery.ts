import type { Database, Transaction } from "../database/database.ts";
import { deleteTokens, findToken, insertToken, takeToken } from "../database/one-time-tokens.ts";
import { PremiseLost } from "../database/premises.ts";
import { storeFailure } from "../database/store-error.ts";
import { findCredential, setCredential, setVerified, type UserCredential } from "../database/credentials.ts";
import { deleteSessions } from "../database/users.ts";
import { AppError } from "../errors.ts";
import type { DeviceEndings } from "./device-endings.ts";
import { type Body, checkInput, type InputRules } from "./input.ts";
import { type IssuedToken, newToken, tokenId } from "./one-time-token.ts";
import { type MailPayloads, withdrawRecoveryMails } from "./outgoing-mail.ts";
import type { NoticeRequest, Notices } from "./notices.ts";
import type { Passwords } from "./password.ts";
import type { Unit, Units } from "./unit-of-work.ts";

/** How long a link works. */
const recoveryLifetimeMs = 30 * 60 * 1_000;

export interface RecoveryDeps {
  readonly database: Database;
  readonly units: Units;
  readonly passwords: Passwords;
  readonly rules: InputRules;
  readonly notices: Notices;
  readonly deviceEndings: DeviceEndings;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

/** New passwords by a link that was given out. */
export interface Recovery {
  /** Whose link a token is of; null where it does not work, or not any more. Changes nothing. @throws AppError 503. */
  find(token: unknown): Promise<{ readonly email: string } | null>;
  /** Sets the password that a body asks for, and ends every session. @throws AppError 400. */
  reset(body: Body, request: Pick<NoticeRequest, "headers" | "clientAddress">, unit: Unit): Promise<Response>;
}

interface RecoveryLink {
  readonly token: string;
  /** In ms since the epoch. */
  readonly expiresAt: number;
}

/**
 * Gives out a link's token, in a transaction that holds the user's row. It works for 30 minutes, once, and as long as
 * password and address are what they are now.
 * @returns null where the user is locked, or not there.
 */
export async function issueRecovery(
  transaction: Transaction,
  provider: Database["provider"],
  userId: string,
  now: number,
  mailed?: IssuedToken,
): Promise<RecoveryLink | null> {
  const credential = await findCredential(transaction, provider, userId);
  if (credential === undefined) return null;
  const { token, id } = mailed ?? newToken("recovery");
  const expiresAt = now + recoveryLifetimeMs;
  const value = JSON.stringify({ userId, state: stateOf(credential), isMailed: mailed !== undefined });
  await insertToken(transaction, provider, { id, identifier: identifierOf(userId), value, expiresAt }, now);
  return { token, expiresAt };
}

/** Ends every link of a user. */
export async function endRecovery(
  transaction: Transaction,
  provider: Database["provider"],
  userId: string,
): Promise<void> {
  await deleteTokens(transaction, provider, identifierOf(userId));
}

/** Where a token leads, whichever host a request named. */
export function recoveryUrl(baseUrl: string, token: string): string {
  return `${baseUrl}/recover?token=${token}`;
}

/**
 * Where a mailed token leads: to the page elsewhere that was asked for, by way of this server, or to the hosted one, and from
 * there on to `callbackUrl`. Both were on listed origins.
 */
export function mailedRecoveryUrl(
  baseUrl: string,
  token: string,
  { redirectTo, callbackUrl }: MailPayloads["recovery"],
): string {
  if (redirectTo !== null)
    return `${baseUrl}/api/auth/reset-password/${token}?callbackURL=${encodeURIComponent(redirectTo)}`;
  const onward = callbackUrl === null ? "" : `&callbackUrl=${encodeURIComponent(callbackUrl)}`;
  return recoveryUrl(baseUrl, token) + onward;
}

export function createRecovery({
  database,
  units,
  passwords,
  rules,
  notices,
  deviceEndings,
  now,
}: RecoveryDeps): Recovery {
  const { provider } = database;
  const find = async (token: unknown) => {
    const id = tokenId("recovery", token);
    const value = id === null ? undefined : await findToken(database, id, now());
    if (id === null || value === undefined) return null;
    const credential = await findCredential({ query: database.read }, provider, issuedFor(value).userId);
    return credential !== undefined && isOf(value, credential) ? { id, credential } : null;
  };
  /** Inside the transaction that holds the user's row: @returns whether it was this one that used the link. */
  const use = async (transaction: Transaction, id: string, userId: string, hash: string) => {
    const value = await takeToken(transaction, provider, id, now());
    const credential = await findCredential(transaction, provider, userId);
    if (value === undefined || credential === undefined || !isOf(value, credential)) return false;
    await setCredential(transaction, provider, userId, hash, now());
    // Who has the mail has the address.
    if (issuedFor(value).isMailed === true) await setVerified(transaction, provider, userId, now());
    await deleteSessions(transaction, provider, userId);
    await deviceEndings.end(transaction, credential.email);
    await endRecovery(transaction, provider, userId);
    await withdrawRecoveryMails(transaction, provider, credential.email);
    return true;
  };
  return {
    find: async (token) => (await find(token))?.credential ?? null,
    async reset(body, request, unit) {
      // What is no text is refused as such.
      const found = typeof body["token"] === "string" ? await find(body["token"]) : null;
      const checked = checkInput("resetPassword", body, rules, found?.credential);
      if (found === null) throw linkEnded();
      const { id, credential } = found;
      unit.seen.userId = credential.userId;
      unit.premises.userId = credential.userId;
      const hash = await passwords.hash(String(checked["newPassword"]));
      try {
        const isUsed = await units.run(
          unit,
          async () => {
            const transaction = await units.write();
            if (transaction === undefined || !(await use(transaction, id, credential.userId, hash)))
              return false;
            const { email } = credential;
            await notices.of({ ...request, name: "resetPassword", email }, unit);
            return true;
          },
          (used) => used,
        );
        if (!isUsed) throw linkEnded();
      } catch (error) {
        throw error instanceof PremiseLost ? error : storeFailure(error);
      }
      return Response.json({ status: true }, { headers: { "Cache-Control": "no-store" } });
    },
  };
}

function identifierOf(userId: string): string {
  return `latchkey:recovery:${userId}`;
}

/** What a link is bound to: it ends with the password and the address for which it was given out. */
export function stateOf({ email, password }: UserCredential): string {
  return new Bun.CryptoHasher("sha256").update(`${email}\n${password ?? ""}`).digest("hex");
}

interface Issued {
  readonly userId: string;
  readonly state: string;
  /** Whether it went to the address, and nowhere else. */
  readonly isMailed?: boolean;
}

function issuedFor(value: string): Issued {
  return JSON.parse(value) as Issued;
}

function isOf(value: string, credential: UserCredential): boolean {
  const { userId, state } = issuedFor(value);
  return userId === credential.userId && state === stateOf(credential);
}

function linkEnded(): AppError {
  return new AppError("INVALID_RECOVERY_TOKEN", "This link no longer works. Ask for a new one.");
}
