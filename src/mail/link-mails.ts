import { issueLink, type LinkPurpose, linkUrl } from "../auth/mail-links.ts";
import { mailedCode, mailedToken } from "../auth/one-time-token.ts";
import type { MailPayload, MailPayloads } from "../auth/outgoing-mail.ts";
import { issueRecovery, mailedRecoveryUrl, stateOf } from "../auth/recovery.ts";
import type { ClaimedMail } from "../database/outbox.ts";
import { findCredential } from "../database/credentials.ts";
import { findUser, type User } from "../database/users.ts";
import type { MailContent } from "./content.ts";
import {
  changeContent,
  changedContent,
  recoveryContent,
  takenContent,
  verificationContent,
} from "./link-contents.ts";
import { holding, type PrepareDeps } from "./making.ts";

/** For who forgot a password. */
export async function recovery(
  deps: PrepareDeps,
  mail: ClaimedMail,
  { language, ...target }: MailPayload<"recovery">,
): Promise<MailContent | null> {
  const url = await recoveryLink(deps, mail, target);
  if (url === null) return null;
  return recoveryContent(deps, language, url);
}

/** For the owner of an account with whose address somebody signed up. */
export async function signUpTaken(
  deps: PrepareDeps,
  mail: ClaimedMail,
  { language, callbackUrl }: MailPayload<"sign_up_taken">,
): Promise<MailContent | null> {
  const url = await recoveryLink(deps, mail, { redirectTo: null, callbackUrl });
  if (url === null) return null;
  return takenContent(deps, language, url);
}

async function recoveryLink(
  deps: PrepareDeps,
  mail: ClaimedMail,
  target: MailPayloads["recovery"],
): Promise<string | null> {
  const { database, now, config } = deps;
  const user = await findUser(database, "", mail.recipient);
  if (user === undefined) return null;
  const made = mailedToken("recovery", mail.id, newestOf(deps));
  const link = await holding(deps, mail, user.id, (transaction) =>
    issueRecovery(transaction, database.provider, user.id, now(), made),
  );
  return link && mailedRecoveryUrl(config.baseUrl, link.token, target);
}

/** For who is to confirm an address. */
export async function verification(
  deps: PrepareDeps,
  mail: ClaimedMail,
  { language, callbackUrl }: MailPayload<"verification">,
): Promise<MailContent | null> {
  const user = await findUser(deps.database, "", mail.recipient);
  if (user === undefined || user.emailVerified) return null;
  const url = await issue(
    deps,
    mail,
    "verification",
    user,
    { from: user.email, at: mail.createdAt },
    callbackUrl,
  );
  if (url === null) return null;
  return verificationContent(deps, language, url, mailedCode(mail.id, newestOf(deps)));
}

/** For the address that a user wants to have from now on. */
export async function emailChange(
  deps: PrepareDeps,
  mail: ClaimedMail,
  { language, userId, state, callbackUrl }: MailPayload<"email_change">,
): Promise<MailContent | null> {
  const user = await findUser(deps.database, userId, "");
  const isTaken = (await findUser(deps.database, "", mail.recipient)) !== undefined;
  if (user === undefined || user.id !== userId || isTaken) return null;
  const url = await issue(
    deps,
    mail,
    "email_change",
    user,
    { from: user.email, to: mail.recipient, state, at: mail.createdAt },
    callbackUrl,
  );
  if (url === null) return null;
  return changeContent(deps, language, url);
}

/** For the address that was replaced. */
export async function emailChanged(
  deps: PrepareDeps,
  mail: ClaimedMail,
  { language, userId, to, ...happening }: MailPayload<"email_changed">,
): Promise<MailContent | null> {
  const user = await findUser(deps.database, userId, "");
  if (user === undefined || user.id !== userId) return null;
  const url = await issue(
    deps,
    mail,
    "email_undo",
    user,
    { from: mail.recipient, to, at: happening.at },
    null,
  );
  if (url === null) return null;
  return changedContent(deps, language, url, to, happening);
}

async function issue(
  deps: PrepareDeps,
  mail: ClaimedMail,
  purpose: LinkPurpose,
  { id: userId }: User,
  bound: { readonly from: string; readonly to?: string; readonly state?: string; readonly at: number },
  callbackUrl: string | null,
): Promise<string | null> {
  const { database, now, config } = deps;
  const { provider } = database;
  const made = mailedToken(purpose, mail.id, newestOf(deps));
  return await holding(deps, mail, userId, async (transaction) => {
    if (purpose !== "email_undo") {
      const credential = await findCredential(transaction, provider, userId);
      // Locked, or the address or the password is another one by now.
      if (credential?.email !== bound.from) return null;
      if (bound.state !== undefined && bound.state !== stateOf(credential)) return null;
    }
    await issueLink(transaction, provider, purpose, { userId, ...bound, mailId: mail.id }, made, now());
    return linkUrl(config.baseUrl, made.token, callbackUrl);
  });
}

function newestOf({ secrets }: PrepareDeps): string {
  const [newest = ""] = secrets();
  return newest;
}
