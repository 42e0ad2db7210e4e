import type { Operator } from "../auth/operator.ts";
import { hasPassword, listUsers, sessionsOf, type User, type UserSession } from "../database/users.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { CommandError } from "../errors.ts";
import { hashedSessionId } from "../http/auth.ts";
import { isLive, sessionEnd } from "../session/verifier.ts";
import type { Action } from "./action-log.ts";
import { inColumns, printable } from "./columns.ts";
import { type Command, exitStatus } from "./command.ts";
import { askNewPassword, confirm } from "./ask.ts";
import { cursorOf, parseCursor } from "./users-cursor.ts";
import { onUsers, type UsersSession } from "./users-session.ts";

interface ListOptions extends Place {
  readonly search?: string;
  readonly limit: number;
  readonly after?: string;
}

/** Whom a command is about: an e-mail address or an id. */
interface OneUser extends Place {
  readonly user: string;
}

/** Prints a page of users, the newest first. */
export const list: Command<ListOptions> = async (context, options) => {
  const after = options.after === undefined ? undefined : parseCursor(options.after);
  const { users, next } = await onUsers(context, options, undefined, ({ database }) =>
    listUsers(database, { search: options.search, limit: options.limit, after }),
  );
  const cursor = next === undefined ? null : cursorOf(next);
  if (options.json) {
    const shown = users.map((user) => ({
      ...userJson(user),
      lastSessionAt: user.lastSessionAt === null ? null : instant(user.lastSessionAt),
    }));
    context.stdout(JSON.stringify({ users: shown, next: cursor }));
    return exitStatus.ok;
  }
  const rows = users.map(({ id, email, name, createdAt, lastSessionAt, lockedAt }) => [
    printable(id),
    printable(email),
    printable(name),
    instant(createdAt),
    lastSessionAt === null ? "-" : instant(lastSessionAt),
    lockedAt === null ? "-" : instant(lockedAt),
  ]);
  if (rows.length > 0)
    context.stdout(inColumns([["ID", "E-MAIL", "NAME", "CREATED", "LAST SESSION", "LOCKED"], ...rows]));
  else context.stderr("no users");
  if (cursor !== null) context.stderr(`There are more: --after ${cursor}`);
  return exitStatus.ok;
};

/** Prints one user. */
export const show: Command<OneUser> = async (context, options) => {
  const { user, withPassword, count } = await onUsers(context, options, undefined, async (session) => {
    const found = await session.operator.find(options.user);
    const kept = await sessionsOf(session.database, found.id);
    return {
      user: found,
      withPassword: await hasPassword(session.database, found.id),
      count: living(session, kept).length,
    };
  });
  if (options.json) {
    context.stdout(JSON.stringify({ user: userJson(user), hasPassword: withPassword, sessions: count }));
    return exitStatus.ok;
  }
  const lines = [
    ["id", printable(user.id)],
    ["e-mail", `${printable(user.email)}${user.emailVerified ? ", verified" : ""}`],
    ["name", printable(user.name)],
    ["created", instant(user.createdAt)],
    ["changed", instant(user.updatedAt)],
    ["password", withPassword ? "yes" : "none"],
    ["sessions", String(count)],
    ["locked", user.lockedAt === null ? "no" : `since ${instant(user.lockedAt)}`],
  ];
  context.stdout(inColumns(lines));
  return exitStatus.ok;
};

/** Makes a user, as a sign-up does, but signs nobody in. */
export const create: Command<Place & { readonly email: string; readonly name: string }> = async (
  context,
  options,
) => {
  const password = await askNewPassword(context);
  return await changeUser(context, options, { event: "account_creation" }, ({ operator }) =>
    operator.create({ email: options.email, name: options.name, password }),
  );
};

/** Sets a user's name. */
export const rename: Command<OneUser & { readonly name: string }> = (context, options) =>
  changeOne(context, options, { event: "profile_update" }, (operator, user) =>
    operator.rename(user, options.name),
  );

/** Sets a user's e-mail address. */
export const setEmail: Command<OneUser & { readonly email: string }> = (context, options) =>
  changeOne(context, options, { event: "email_change" }, (operator, user) =>
    operator.setEmail(user, options.email),
  );

/** Notes that a user has the address: somebody knows it without a mail. */
export const verifyEmail: Command<OneUser> = (context, options) =>
  changeOne(context, options, { event: "email_confirmation" }, (operator, user) =>
    operator.verifyEmail(user),
  );

/** Sets a user's password, and ends all sessions unless told otherwise. */
export const setPassword: Command<OneUser & { readonly keepSessions?: true }> = async (context, options) => {
  const done = await endSessions(context, options, "password_change", async ({ operator }, user) =>
    operator.setPassword(user, await askNewPassword(context), options.keepSessions === true),
  );
  const kept = options.keepSessions === true ? "sessions go on" : ended(done.count);
  print(context, options, done, `${printable(done.user.email)} has a new password; ${kept}`);
  return exitStatus.ok;
};

/** Prints the live sessions of a user, the newest first. */
export const sessions: Command<OneUser> = async (context, options) => {
  const { user, live, maxAgeSeconds } = await onUsers(context, options, undefined, async (session) => {
    const found = await session.operator.find(options.user);
    return {
      user: found,
      live: living(session, await sessionsOf(session.database, found.id)),
      maxAgeSeconds: session.config.sessionMaxAgeSeconds,
    };
  });
  const shown = live.map((row) => ({
    session: hashedSessionId(row.id),
    id: row.id,
    createdAt: instant(row.createdAt),
    updatedAt: instant(row.updatedAt),
    expiresAt: instant(sessionEnd(row, maxAgeSeconds)),
    ipAddress: row.ipAddress,
    userAgent: row.userAgent,
  }));
  if (options.json) {
    context.stdout(JSON.stringify({ userId: user.id, sessions: shown }));
    return exitStatus.ok;
  }
  const rows = shown.map((row) => [
    row.session,
    row.createdAt,
    row.expiresAt,
    printable(row.ipAddress ?? "") || "-",
    printable(row.userAgent ?? "") || "-",
  ]);
  if (rows.length > 0)
    context.stdout(inColumns([["SESSION", "CREATED", "EXPIRES", "ADDRESS", "BROWSER"], ...rows]));
  else context.stderr(`${printable(user.email)} is signed in nowhere`);
  return exitStatus.ok;
};

/** Ends a user's sessions, or one of them. */
export const revoke: Command<OneUser & { readonly session?: string }> = async (context, options) => {
  const done = await endSessions(context, options, "session_revocation", async (session, user) => {
    if (options.session === undefined) return await session.operator.revoke(user);
    const kept = living(session, await sessionsOf(session.database, user.id));
    const found = kept.find(({ id }) => id === options.session || hashedSessionId(id) === options.session);
    const revoked = found === undefined ? [] : await session.operator.revoke(user, found.id);
    if (revoked.length === 0) throw unknownSession(user, options.session);
    return revoked;
  });
  print(context, options, done, `${printable(done.user.email)}: ${ended(done.count)}`);
  return exitStatus.ok;
};

/** Ends a user's sessions, and lets none begin. */
export const lock: Command<OneUser> = async (context, options) => {
  const event = "account_lock";
  const done = await endSessions(context, options, event, ({ operator }, user) => operator.lock(user));
  print(context, options, done, `${printable(done.user.email)} is locked; ${ended(done.count)}`);
  return exitStatus.ok;
};

/** Lets a user sign in again. */
export const unlock: Command<OneUser> = (context, options) =>
  changeUser(context, options, { event: "account_unlock" }, async ({ operator }, action) => {
    const user = await operator.find(options.user);
    action.userId = user.id;
    return await operator.unlock(user);
  });

/** Prints a link to a page where the user sets a new password. */
export const recoveryLink: Command<OneUser> = async (context, options) => {
  const action: Action = { event: "recovery_link" };
  const { user, link } = await onUsers(context, options, action, async ({ operator }) => {
    const found = await operator.find(options.user);
    action.userId = found.id;
    return { user: found, link: await operator.recover(found) };
  });
  const { url } = link;
  const expiresAt = instant(link.expiresAt);
  if (options.json) {
    context.stdout(JSON.stringify({ userId: user.id, url, expiresAt }));
    return exitStatus.ok;
  }
  context.stdout(url);
  context.stderr(`Sets a new password for ${printable(user.email)}, once, until ${expiresAt}`);
  return exitStatus.ok;
};

/** Deletes a user with accounts and sessions, once that is confirmed. */
export const remove: Command<OneUser & { readonly yes?: true }> = async (context, options) => {
  const input = context.stdin();
  if (options.yes !== true && !input.isTTY)
    throw new CommandError("there is no terminal to ask for confirmation", "add --yes", {
      wrongInput: "not_confirmed",
    });
  const done = await endSessions(context, options, "account_deletion", async ({ operator }, user) => {
    if (options.yes !== true)
      await confirm(context, `Delete ${printable(user.email)} (${printable(user.id)}) for good?`);
    return await operator.remove(user);
  });
  print(context, options, done, `${printable(done.user.email)} is deleted; ${ended(done.count)}`);
  return exitStatus.ok;
};

type Context = Parameters<Command>[0];
type JsonOptions = Place & { readonly json: boolean };

function changeOne(
  context: Context,
  options: JsonOptions & OneUser,
  action: Action,
  change: (operator: Operator, user: User) => Promise<User>,
): Promise<number> {
  return changeUser(context, options, action, async ({ operator }) => {
    const user = await operator.find(options.user);
    action.userId = user.id;
    return await change(operator, user);
  });
}

async function changeUser(
  context: Context,
  options: JsonOptions,
  action: Action,
  change: (session: UsersSession, action: Action) => Promise<User>,
): Promise<number> {
  const user = await onUsers(context, options, action, async (session) => {
    const changed = await change(session, action);
    action.userId = changed.id;
    return changed;
  });
  if (options.json) context.stdout(JSON.stringify({ user: userJson(user) }));
  else context.stdout(inColumns([[printable(user.id), printable(user.email), printable(user.name)]]));
  return exitStatus.ok;
}

interface Ended {
  readonly user: User;
  /** Sessions that lived until then. */
  readonly count: number;
}

async function endSessions(
  context: Context,
  options: JsonOptions & OneUser,
  event: string,
  end: (session: UsersSession, user: User) => Promise<readonly UserSession[]>,
): Promise<Ended> {
  const action: Action = { event };
  return await onUsers(context, options, action, async (session) => {
    const user = await session.operator.find(options.user);
    action.userId = user.id;
    const count = living(session, await end(session, user)).length;
    action.ended = count;
    return { user, count };
  });
}

function print({ stdout }: Context, { json }: JsonOptions, { user, count }: Ended, sentence: string): void {
  stdout(json ? JSON.stringify({ userId: user.id, ended: count }) : sentence);
}

function ended(count: number): string {
  return count === 1 ? "1 session ended" : `${count} sessions ended`;
}

function living({ config, now }: UsersSession, rows: readonly UserSession[]): readonly UserSession[] {
  return rows.filter((row) => isLive(row, config.sessionMaxAgeSeconds, now));
}

function userJson({ id, email, name, emailVerified, image, createdAt, updatedAt, lockedAt }: User) {
  return {
    id,
    email,
    name,
    emailVerified,
    image,
    createdAt: instant(createdAt),
    updatedAt: instant(updatedAt),
    lockedAt: lockedAt === null ? null : instant(lockedAt),
  };
}

/** In UTC; a damaged one as it is. */
function instant(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? String(at) : date.toISOString();
}

function unknownSession(user: User, session: string): CommandError {
  return new CommandError(
    `${user.email} has no live session ${session}`,
    `latchkey users sessions ${user.email}`,
    { wrongInput: "unknown_session" },
  );
}
