import { type BetterAuthOptions, betterAuth } from "better-auth/minimal";
import { createAuthMiddleware, getSessionFromCtx } from "better-auth/api";
import type { Endings } from "../session/endings.ts";
import { allCookies, verifySignedToken } from "../session/cookie.ts";
import { clockToleranceMs } from "../session/verifier.ts";
import { createAdapter } from "./adapter.ts";
import { clientAddressHeader } from "./client-address.ts";
import type { Unit, Units } from "./unit-of-work.ts";
import type { Config } from "../config/config.ts";
import type { Database } from "../database/database.ts";
import { isLocked } from "../database/locks.ts";
import { capSessions } from "../database/session-cap.ts";
import type { Passwords } from "./password.ts";

const userAgentMaxLength = 512;
const daySeconds = 24 * 60 * 60;

export interface AuthDeps {
  readonly config: Config;
  /** The first signs. */
  readonly secrets: readonly string[];
  readonly database: Database;
  readonly units: Units;
  readonly passwords: Passwords;
  readonly cookieName: string;
  readonly endings: Endings;
  /** Whether somebody is to be told of one more sign-in from a new browser, or new password. */
  readonly mayTell: (unit: Unit) => Promise<boolean>;
}

export type Auth = ReturnType<typeof createAuth>;

/** BetterAuth with e-mail and password, every option that it would take from the environment set here. */
export function createAuth(deps: AuthDeps) {
  return betterAuth(authOptions(deps));
}

function authOptions(deps: AuthDeps) {
  const { config, units } = deps;
  const [secret = ""] = deps.secrets;
  return {
    appName: "latchkey",
    baseURL: config.baseUrl,
    basePath: "/api/auth",
    secret,
    trustedOrigins: [...config.trustedOrigins],
    database: createAdapter(deps.database, units, config, deps.endings),
    emailAndPassword: {
      enabled: true,
      disableSignUp: config.signUp === "closed",
      autoSignIn: true,
      requireEmailVerification: config.emailVerification === "required",
      // Called where the answer does not say so.
      onExistingUserSignUp: async () => {
        const unit = units.current();
        if (unit !== undefined) unit.seen.reason = "taken";
      },
      // Lengths count in code points and are checked before BetterAuth, which counts UTF-16 units.
      minPasswordLength: 1,
      maxPasswordLength: 512,
      password: passwordHooks(deps),
    },
    session: {
      expiresIn: config.sessionExpiresInSeconds,
      updateAge: config.sessionUpdateAgeSeconds,
      // 0: sessions of any age may be listed; deleting the account asks for the password instead.
      freshAge: 0,
      cookieCache: { enabled: false },
    },
    user: { deleteUser: { enabled: true }, changeEmail: { enabled: false } },
    account: { accountLinking: { enabled: false } },
    verification: { storeIdentifier: "hashed" },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    experimental: { instrumentation: { enabled: false } },
    onAPIError: { throw: true },
    logger: { log: (_level, message, ...details) => note(units.current(), message, details) },
    advanced: {
      disableOriginCheck: false,
      disableCSRFCheck: false,
      useSecureCookies: config.secure,
      defaultCookieAttributes: {
        sameSite: config.cookieSameSite,
        secure: config.secure || config.cookieSameSite === "none",
        httpOnly: true,
        path: "/",
      },
      ...(config.cookieDomain === null
        ? {}
        : { crossSubDomainCookies: { enabled: true, domain: config.cookieDomain } }),
      ipAddress: { ipAddressHeaders: [clientAddressHeader], ipv6Subnet: 128 },
    },
    databaseHooks: {
      user: {
        create: {
          // One instant, as the answer to a sign-up with a taken address has, which is nobody's row.
          before: async () => {
            const at = new Date();
            return { data: { createdAt: at, updatedAt: at } };
          },
        },
      },
      session: {
        create: {
          before: async (session: { userAgent?: string | null | undefined; expiresAt: Date }) => ({
            data: {
              userAgent: session.userAgent?.slice(0, userAgentMaxLength).toWellFormed() ?? "",
              expiresAt: endOfNew(session.expiresAt, config, units.current()),
            },
          }),
        },
      },
    },
    hooks: { before: endSessionsFirst(deps), after: endSessionsAfter(deps) },
  } satisfies BetterAuthOptions;
}

function passwordHooks(deps: AuthDeps) {
  const { passwords, units, database } = deps;
  return {
    async hash(password: string) {
      const hash = await passwords.hash(password);
      // At sign-in BetterAuth hashes only for somebody who is not there, and throws it away.
      if (units.current()?.route === "signIn") await passwords.balance(hash, password);
      return hash;
    },
    verify: async ({ hash, password }: { hash: string; password: string }) => {
      const unit = units.current();
      // Asked beside the hash, whatever that comes to: by the time, a locked user is not to be told from others.
      const [isRight, locked] = await Promise.all([
        passwords.verify(hash, password),
        unit?.route === "signIn" && lockOf(database, unit),
      ]);
      if (isRight && locked && unit !== undefined) unit.seen.reason = "locked";
      const matches = isRight && !locked;
      if (!matches && unit?.route === "signIn") await passwords.balance(hash, password);
      if (!matches || unit === undefined) return matches;
      if (unit.isNewDevice) unit.isNewDevice = await deps.mayTell(unit);
      if (unit.route === "changePassword") unit.isQuiet = !(await deps.mayTell(unit));
      unit.premises.credential = hash;
      if (passwords.isOutdated(hash)) unit.rehash = { stored: hash, password };
      return matches;
    },
  };
}

/** Whether the user whom a sign-in found is locked. */
async function lockOf(database: Database, unit: Unit): Promise<boolean> {
  const { userId } = unit.seen;
  if (userId === undefined) return false;
  try {
    return await isLocked(database, userId);
  } catch (error) {
    unit.failure ??= error;
    throw error;
  }
}

/** What BetterAuth says only to its logger: why a sign-in failed, and errors that it answers as something else. */
function note(unit: Unit | undefined, message: string, details: readonly unknown[]): void {
  if (unit === undefined) return;
  if (message === "User not found") unit.seen.reason = "unknown_email";
  else if (message === "Password not found") unit.seen.reason = "no_password";
  else if (message === "Invalid password") unit.seen.reason ??= "wrong_password";
  const error = details.find((detail) => detail instanceof Error);
  if (error !== undefined) unit.seen.internalError ??= error;
}

/** Without "remember me", BetterAuth gives a day; the one that follows it at a change of the password gets no more. */
function endOfNew(expiresAt: Date, { sessionExpiresInSeconds }: Config, unit: Unit | undefined): Date {
  const most =
    Date.now() +
    Math.min(sessionExpiresInSeconds, unit?.isForOneDay === true ? daySeconds : Infinity) * 1_000;
  return new Date(Math.min(expiresAt.getTime(), most));
}

/**
 * Ends, in one statement, what BetterAuth leaves alive: beyond the first hundred other sessions, and beyond the first of
 * several cookies at sign-out.
 */
const endSessionsFirst = ({ secrets, cookieName }: AuthDeps) =>
  createAuthMiddleware(async (ctx) => {
    const { adapter } = ctx.context;
    if (ctx.path === "/sign-out") {
      const values = allCookies(ctx.headers?.get("cookie") ?? "", cookieName);
      const genuine = values.flatMap((value) => verifySignedToken(value, secrets)?.token ?? []);
      // Parsers of headers allow for no more than these.
      const tokens = [...new Set(genuine)].slice(0, 100);
      const where = [{ field: "token", operator: "in" as const, value: tokens }];
      if (tokens.length === 0) return;
      // For the log, and to end them in turn with what else happens to this user.
      for (const value of tokens)
        await adapter.findOne({ model: "session", where: [{ field: "token", value }] });
      await adapter.deleteMany({ model: "session", where });
    } else if (ctx.path === "/revoke-other-sessions") {
      const found = await getSessionFromCtx(ctx, { disableCookieCache: true });
      if (found === null) return;
      const { token, userId } = found.session;
      await adapter.deleteMany({
        model: "session",
        where: [
          { field: "userId", value: userId },
          { field: "token", operator: "ne", value: token },
        ],
      });
    }
  });

/** Ends the session that a sign-in came with, which BetterAuth leaves alive (ASVS 7.2.4), and then the oldest beyond the cap. */
const endSessionsAfter = (deps: AuthDeps) =>
  createAuthMiddleware(async (ctx) => {
    if (ctx.path !== "/sign-in/email" && ctx.path !== "/sign-up/email") return;
    const { authCookies, newSession, internalAdapter, secret } = ctx.context;
    if (newSession === null) return;
    const presented = await ctx.getSignedCookie(authCookies.sessionToken.name, secret);
    if (presented && presented !== newSession.session.token) await internalAdapter.deleteSession(presented);
    await endOldest(deps, newSession.session);
  });

/** Ends, in the transaction that made a session, the oldest of its user's beyond as many as somebody may have. */
async function endOldest(
  { config, database, units }: AuthDeps,
  { userId, token }: { readonly userId: string; readonly token: string },
): Promise<void> {
  const unit = units.current();
  const transaction = await units.write();
  if (unit === undefined || transaction === undefined) return;
  const now = Date.now();
  try {
    unit.capped = await capSessions(transaction, database.provider, {
      userId,
      token,
      max: config.sessionsMax,
      madeFrom: now - config.sessionMaxAgeSeconds * 1_000,
      madeTo: now + clockToleranceMs,
      now,
    });
  } catch (error) {
    unit.failure ??= error;
    throw error;
  }
}
