import { openInvitations } from "../auth/invitation.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { CommandError } from "../errors.ts";
import type { Action } from "./action-log.ts";
import { inColumns, printable } from "./columns.ts";
import { type Command, exitStatus } from "./command.ts";
import { onUsers } from "./users-session.ts";

interface InviteOptions extends Place {
  /** Whom it is for; undefined for whoever has it. */
  readonly email?: string;
  /** How long it works. */
  readonly seconds: number;
}

/** Prints a link to the sign-up page, by which one account is made. */
export const invite: Command<InviteOptions> = async (context, options) => {
  const action: Action = { event: "invitation" };
  const { link, signUp } = await onUsers(context, options, action, async ({ operator, config }) => {
    const made = await operator.invite(options.email, options.seconds);
    action.details = { invitation: made.id };
    return { link: made, signUp: config.signUp };
  });
  const { id, url, email } = link;
  const expiresAt = instant(link.expiresAt);
  if (options.json) {
    context.stdout(JSON.stringify({ id, url, email, expiresAt }));
    return exitStatus.ok;
  }
  context.stdout(url);
  const whom = email === null ? "whoever has it" : printable(email);
  context.stderr(`Invites ${whom} to sign up, once, until ${expiresAt}`);
  if (signUp === "open") context.stderr("LATCHKEY_SIGN_UP is open: others need no invitation");
  return exitStatus.ok;
};

/** Prints the invitations that nobody has used and whose time is not over. */
export const list: Command<Place> = async (context, options) => {
  const open = await onUsers(context, options, undefined, ({ database, now }) =>
    openInvitations(database, now),
  );
  if (options.json) {
    const invitations = open.map(({ id, email, createdAt, expiresAt }) => ({
      id,
      email,
      createdAt: instant(createdAt),
      expiresAt: instant(expiresAt),
    }));
    context.stdout(JSON.stringify({ invitations }));
    return exitStatus.ok;
  }
  const rows = open.map(({ id, email, createdAt, expiresAt }) => [
    id,
    instant(createdAt),
    instant(expiresAt),
    email === null ? "whoever has it" : printable(email),
  ]);
  if (rows.length > 0) context.stdout(inColumns([["ID", "CREATED", "EXPIRES", "FOR"], ...rows]));
  else context.stderr("no invitation is open");
  return exitStatus.ok;
};

/** Ends an invitation before its time. */
export const withdraw: Command<Place & { readonly id: string }> = async (context, { id, ...options }) => {
  // Not repeated: it may be the link itself.
  if (!/^[0-9a-f]{16}$/.test(id))
    throw new CommandError("this is no invitation's id, which has 16 digits", "latchkey invite list", {
      wrongInput: "usage",
    });
  const action: Action = { event: "invitation_withdrawal", details: { invitation: id } };
  await onUsers(context, options, action, ({ operator }) => operator.withdraw(id));
  context.stdout(options.json ? JSON.stringify({ id }) : `${id}: withdrawn`);
  return exitStatus.ok;
};

function instant(at: number): string {
  return new Date(at).toISOString();
}
