import type { Config } from "../config/config.ts";
import type { Database, Transaction } from "../database/database.ts";
import { findToken, insertToken, openTokens, takeToken } from "../database/one-time-tokens.ts";
import { AppError } from "../errors.ts";
import { type Body, canonicalEmail, checkInput, type InputRules } from "./input.ts";
import { newToken, shownId, tokenId } from "./one-time-token.ts";
import type { Unit } from "./unit-of-work.ts";

export interface InvitationDeps {
  readonly config: Pick<Config, "signUp">;
  readonly database: Database;
  readonly rules: InputRules;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

/** Whom an invitation is for. */
interface Invitation {
  /** In the form in which addresses are stored; null for whoever has it. */
  readonly email: string | null;
}

/** Sign-up by a link that was given out. */
export interface Invitations {
  /** What a token invites to; null where it does not count, or not any more. Changes nothing. @throws AppError 503. */
  find(token: unknown): Promise<Invitation | null>;
  /**
   * Checks a sign-up, and has its transaction use the invitation up: none is where no account is made.
   * @returns the body to hand on. @throws AppError 400, the same whatever is wrong with an invitation.
   */
  admit(body: Body, unit: Unit): Promise<Body>;
}

const identifier = "latchkey:invitation";

/** An invitation that counts, as an operator sees it. */
export interface OpenInvitation extends Invitation {
  readonly id: string;
  /** In ms since the epoch, as is the next. */
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Those that count, the first to end first. @param now in ms since the epoch. */
export async function openInvitations(
  database: Pick<Database, "provider" | "read">,
  now: number,
): Promise<readonly OpenInvitation[]> {
  return (await openTokens(database, identifier, now)).map(({ id, value, createdAt, expiresAt }) => ({
    ...(JSON.parse(value) as Invitation),
    id: shownId(id),
    createdAt,
    expiresAt,
  }));
}

/** Ends an invitation before its time. @returns false where none that counts has the id. */
export async function withdrawInvitation(
  { query }: Pick<Transaction, "query">,
  provider: Database["provider"],
  id: string,
  now: number,
): Promise<boolean> {
  const open = await openTokens({ provider, read: query }, identifier, now);
  const found = open.find((one) => shownId(one.id) === id);
  return found !== undefined && (await takeToken({ query }, provider, found.id, now)) !== undefined;
}

/** Makes an invitation. @param now in ms since the epoch. */
export async function issueInvitation(
  transaction: Transaction,
  provider: Database["provider"],
  { email, expiresAt }: Invitation & { readonly expiresAt: number },
  now: number,
): Promise<{ readonly token: string; readonly id: string }> {
  const { token, id } = newToken("invitation");
  const value = JSON.stringify({ email });
  await insertToken(transaction, provider, { id, identifier, value, expiresAt }, now);
  return { token, id: shownId(id) };
}

/** Where a token leads, whichever host a request named. */
export function invitationUrl(baseUrl: string, token: string): string {
  return `${baseUrl}/signup?invitation=${token}`;
}

export function createInvitations({ config, database, rules, now }: InvitationDeps): Invitations {
  const find = async (token: unknown) => {
    const id = config.signUp === "closed" ? null : tokenId("invitation", token);
    const value = id === null ? undefined : await findToken(database, id, now());
    return id === null || value === undefined ? null : { id, ...(JSON.parse(value) as Invitation) };
  };
  return {
    find,
    async admit({ invitation: token, ...body }, unit) {
      const found = await find(token);
      const isNamed = found !== null && found.email !== null;
      const isHis = found !== null && (!isNamed || found.email === canonicalOrNull(body["email"]));
      // Whom an operator named needs no domain that is listed.
      const own = isHis && isNamed ? { ...rules, signUpDomains: [] } : rules;
      // Before the rest, so that what an answer says of a body does not depend on who is invited.
      const { invitation: _, ...checked } = checkInput("signUp", { ...body, ...withText(token) }, own);
      if (config.signUp !== "open" && !isHis) throw notInvited();
      if (isHis) unit.premises.invitation = { id: found.id, now: now() };
      return checked;
    },
  };
}

/** What is no text is refused as such. */
function withText(token: unknown): Body {
  return token === undefined ? {} : { invitation: token };
}

function canonicalOrNull(email: unknown): string | null {
  if (typeof email !== "string") return null;
  try {
    return canonicalEmail(email);
  } catch {
    // The rules refuse it.
    return null;
  }
}

/** BetterAuth's own answer to a sign-up that is closed. */
function notInvited(): AppError {
  return new AppError("EMAIL_PASSWORD_SIGN_UP_DISABLED", "Email and password sign up is not enabled");
}
