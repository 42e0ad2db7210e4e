import type { Auth } from "./auth/better-auth.ts";
import type { RequireUnbreached } from "./auth/breached/breaches.ts";
import { createDevices } from "./auth/device-cookie.ts";
import { createDeviceEndings, type DeviceEndings } from "./auth/device-endings.ts";
import { createGuessRules } from "./auth/guessable.ts";
import { createHandle, type Handle, type HandlerDeps } from "./auth/handle.ts";
import { createHashLine, type HashLine, hashLineLimits } from "./auth/hash-line.ts";
import { createHashSlots, type InTurn } from "./auth/hash-slots.ts";
import { createInvitations } from "./auth/invitation.ts";
import { createLimits, type Limits } from "./auth/limits.ts";
import { createPasswords, type HashCost } from "./auth/password.ts";
import { createSpareCore } from "./auth/spare-core.ts";
import { createMailLinks } from "./auth/mail-links.ts";
import { createMailRequests } from "./auth/mail-requests.ts";
import { createMailRoutes } from "./auth/mail-routes.ts";
import { createNotices } from "./auth/notices.ts";
import { createPostMail, withdrawRecoveryMails } from "./auth/outgoing-mail.ts";
import { createRecovery } from "./auth/recovery.ts";
import { createUnits, type Unit } from "./auth/unit-of-work.ts";
import type { Config } from "./config/config.ts";
import type { Database } from "./database/database.ts";
import type { ForeignHashes } from "./database/foreign-hashes.ts";
import { createLimitStore, type LimitStore } from "./database/limit-store.ts";
import { createEmailDescription } from "./http/auth.ts";
import type { Keyring } from "./keyring.ts";
import type { Log } from "./log.ts";
import { sessionCookieName } from "./session/cookie.ts";
import type { Endings } from "./session/endings.ts";
import { isClamped } from "./session/get-session.ts";
import { isForOneDay, type Verify } from "./session/verifier.ts";

export interface AccountsDeps extends Pick<HandlerDeps, "inBackground"> {
  readonly config: Config;
  readonly log: Log;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
  readonly database: Database;
  readonly keyring: Keyring;
  readonly endings: Endings;
  readonly verify: Verify;
  readonly foreignHashes: ForeignHashes;
  /** How many requests there have been. */
  readonly requestCount: () => number;
  /** Undefined where new passwords are not looked up. */
  readonly requireUnbreached: RequireUnbreached | undefined;
  /** Hears of every commit. */
  readonly onCommit: () => void;
  /** Hears of every commit that put mail into the outbox. */
  readonly onMail: () => void;
  /** Of a server for tests alone. */
  readonly hashCost?: HashCost;
  /** Where somebody counts. */
  readonly counting?: Counting | undefined;
  /** Of a worker; one process alone has its own. */
  readonly shared?: { readonly line: HashLine; readonly inTurn: InTurn };
}

/** Stands before what is counted. */
interface Counting {
  line(line: HashLine): HashLine;
  limitStore(store: LimitStore): LimitStore;
}

/** Builds what makes and changes accounts and sessions, through BetterAuth, within rules and limits. */
export function createAccounts(deps: AccountsDeps) {
  const { config, log, database, keyring, endings, shared } = deps;
  const units = createUnits(database, ({ mails }) => {
    deps.onCommit();
    if (mails > 0) deps.onMail();
  });
  const spare = config.hashesOnSpareCore
    ? createSpareCore(deps.requestCount, () => performance.now())
    : () => 0;
  const passwords = createPasswords({
    inTurn: shared?.inTurn ?? createHashSlots(config.hashConcurrency, spare),
    foreignKinds: deps.foreignHashes.kinds,
    ...(deps.hashCost === undefined ? {} : { cost: deps.hashCost }),
  });
  const cookieName = sessionCookieName(config.secure);
  const rules = {
    passwordMinLength: config.passwordMinLength,
    signUpDomains: config.signUpDomains,
    requireUnguessable: createGuessRules(config),
  };
  const { now } = deps;
  const post = createPostMail(database, units, now);
  const deviceEndings = createDeviceEndings(database, () => keyring.secrets, now);
  const withdraw = async (recipient: string) => {
    const transaction = await units.write();
    if (transaction !== undefined) await withdrawRecoveryMails(transaction, database.provider, recipient);
  };
  const notices = createNotices({ config, post, withdraw, now });
  const recovery = createRecovery({ database, units, passwords, rules, notices, deviceEndings, now });
  const links = createMailLinks({
    config,
    database,
    units,
    rules,
    post,
    deviceEndings,
    secrets: () => keyring.secrets,
    now,
  });
  const requests = createMailRequests({ config, database, units, rules, post });
  const answerMailRoute = createMailRoutes({ config, recovery, requests, links, now });
  const invitations = createInvitations({ config, database, rules, now: deps.now });
  const ownLine = shared?.line ?? createHashLine({ ...hashLineLimits(config), spare });
  const line = deps.counting?.line(ownLine) ?? ownLine;
  /** All of a request signs and verifies by the same secrets. */
  const handleBy = (secrets: readonly string[]): Handle => {
    let loading: Promise<Auth> | undefined;
    const limits = createOwnLimits(deps, secrets, deviceEndings);
    const mayTell = async ({ route, seen: { userId } }: Unit) =>
      userId !== undefined && (limits === null || (await limits.mayTell(route ?? "", userId)));
    return createHandle({
      answerMailRoute,
      notices,
      isNewDevice: async (headers, email) =>
        (await limits?.isNewDevice(headers.get("cookie"), email)) === true,
      // As many mails go to an address, whoever signs up with it; the sign-up itself is answered as ever.
      mayMail: async (email) =>
        config.emailVerification === "off" || limits === null || (await limits.mayMail(email)),
      hidesTaken: config.emailVerification === "required",
      invitations,
      // The pages do without it: memory does not hold it before somebody signs in.
      auth: async () => {
        loading ??= import("./auth/better-auth.ts").then(({ createAuth }) =>
          createAuth({ config, secrets, database, units, passwords, cookieName, endings, mayTell }),
        );
        return await loading;
      },
      units,
      passwords,
      baseUrl: config.baseUrl,
      secrets,
      cookieName,
      rules,
      requireUnbreached: deps.requireUnbreached,
      findRecovery: recovery.find,
      limits,
      onLimitError: (cause) => log.warn({ cause }, "a sign-in could not be uncounted"),
      line,
      present: async (cookie) => {
        const result = await deps.verify(cookie, null);
        if (!("session" in result)) return null;
        const { session } = result;
        return {
          isClamped: isClamped(session, config.sessionMaxAgeSeconds),
          isForOneDay: isForOneDay(session, config.sessionExpiresInSeconds),
          userId: session.user.id,
          email: session.user.email,
          token: session.token,
          owner: session.user,
        };
      },
      onRehashError: (cause) => log.warn({ cause }, "a password hash could not be renewed"),
      inBackground: deps.inBackground,
    });
  };
  let current = { secrets: keyring.secrets, handle: handleBy(keyring.secrets) };
  const handle: Handle = async (request, unit) => {
    const secrets = keyring.renew();
    if (secrets !== current.secrets) current = { secrets, handle: handleBy(secrets) };
    return await current.handle(request, unit);
  };
  return {
    handle,
    rules,
    findRecovery: recovery.find,
    findLink: links.find,
    findInvitation: invitations.find,
    describeEmail: (email: string) =>
      createEmailDescription(keyring.secrets[0] ?? "", config.logEmails)(email),
  };
}

/** Null where nothing is limited. */
function createOwnLimits(
  { config, database, now, onCommit, counting }: AccountsDeps,
  secrets: readonly string[],
  deviceEndings: DeviceEndings,
): Limits | null {
  const { limits, secure, cookieSameSite, mail, mailNewDevice } = config;
  if (limits === null) return null;
  const [current = ""] = secrets;
  const keyOf = (text: string) =>
    new Bun.CryptoHasher("sha256", current).update(`limit:${text}`).digest("base64url").slice(0, 22);
  const devices = createDevices({ secrets, secure, sameSite: cookieSameSite, now });
  const store = createLimitStore(database, now, onCommit);
  const rules = { ...limits, tellsOfDevices: mail !== null && mailNewDevice };
  return createLimits(counting?.limitStore(store) ?? store, rules, keyOf, devices, deviceEndings.endedAt);
}
