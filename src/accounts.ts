import type { Auth } from "./auth/better-auth.ts";
import { createDevices } from "./auth/device-cookie.ts";
import { createGuessRules } from "./auth/guessable.ts";
import { createHandle, type HandlerDeps } from "./auth/handle.ts";
import { createHashLine, type HashLine, hashLineLimits } from "./auth/hash-line.ts";
import { createHashSlots, type InTurn } from "./auth/hash-slots.ts";
import { createLimits, type Limits } from "./auth/limits.ts";
import { createPasswords, type HashCost } from "./auth/password.ts";
import { createUnits } from "./auth/unit-of-work.ts";
import type { Config } from "./config/config.ts";
import type { Database } from "./database/database.ts";
import type { ForeignHashes } from "./database/foreign-hashes.ts";
import { createLimitStore } from "./database/limit-store.ts";
import { createEmailDescription } from "./http/auth.ts";
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
  /** The newest first. */
  readonly secrets: readonly string[];
  readonly endings: Endings;
  readonly verify: Verify;
  readonly foreignHashes: ForeignHashes;
  /** Hears of every commit. */
  readonly onCommit: () => void;
  /** Of a server for tests alone. */
  readonly hashCost?: HashCost;
  /** Of a worker; one process alone has its own. */
  readonly shared?: { readonly line: HashLine; readonly inTurn: InTurn };
}

/** Builds what makes and changes accounts and sessions, through BetterAuth, within rules and limits. */
export function createAccounts(deps: AccountsDeps) {
  const { config, log, database, secrets, endings, shared } = deps;
  const units = createUnits(database, deps.onCommit);
  const passwords = createPasswords({
    inTurn: shared?.inTurn ?? createHashSlots(config.hashConcurrency),
    hasForeignHashes: deps.foreignHashes.areThere,
    ...(deps.hashCost === undefined ? {} : { cost: deps.hashCost }),
  });
  const cookieName = sessionCookieName(config.secure);
  let loading: Promise<Auth> | undefined;
  // The pages do without it: memory does not hold it before somebody signs in.
  const auth = async () => {
    loading ??= import("./auth/better-auth.ts").then(({ createAuth }) =>
      createAuth({ config, secrets, database, units, passwords, cookieName, endings }),
    );
    return await loading;
  };
  const rules = {
    passwordMinLength: config.passwordMinLength,
    signUpDomains: config.signUpDomains,
    requireUnguessable: createGuessRules(config),
  };
  return {
    handle: createHandle({
      auth,
      units,
      passwords,
      baseUrl: config.baseUrl,
      secrets,
      cookieName,
      rules,
      limits: createOwnLimits(deps),
      onLimitError: (cause) => log.warn({ cause }, "a sign-in could not be uncounted"),
      line: shared?.line ?? createHashLine(hashLineLimits(config)),
      present: async (cookie) => {
        const result = await deps.verify(cookie, null);
        if (!("session" in result)) return null;
        const { session } = result;
        return {
          isClamped: isClamped(session, config.sessionMaxAgeSeconds),
          isForOneDay: isForOneDay(session, config.sessionExpiresInSeconds),
          owner: session.user,
        };
      },
      onRehash: () => deps.inBackground(deps.foreignHashes.ask()),
      onRehashError: (cause) => log.warn({ cause }, "a password hash could not be renewed"),
      inBackground: deps.inBackground,
    }),
    rules,
    describeEmail: createEmailDescription(secrets[0] ?? "", config.logEmails),
  };
}

/** Null where nothing is limited. */
function createOwnLimits({ config, database, secrets, now, onCommit }: AccountsDeps): Limits | null {
  const { limits, secure, cookieSameSite } = config;
  if (limits === null) return null;
  const [current = ""] = secrets;
  const keyOf = (text: string) =>
    new Bun.CryptoHasher("sha256", current).update(`limit:${text}`).digest("base64url").slice(0, 22);
  const devices = createDevices({ secrets, secure, sameSite: cookieSameSite });
  return createLimits(createLimitStore(database, now, onCommit), limits, keyOf, devices);
}
