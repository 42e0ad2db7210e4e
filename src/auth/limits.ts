import type { Config, Rate } from "../config/config.ts";
import { AppError } from "../errors.ts";
import type { LimitStore } from "../database/limit-store.ts";
import type { AuthRouteName } from "../routes.ts";
import { clientOf } from "./hash-line.ts";
import { canonicalEmail } from "./input.ts";
import { createLimiter, type Limiter } from "./limiter.ts";
import type { Devices } from "./device-cookie.ts";

type LimitRules = NonNullable<Config["limits"]> & {
  /** Whether people hear of sign-ins from browsers that they never used here. */
  readonly tellsOfDevices: boolean;
};

/** 429: which limit, for the log. */
export class LimitReached extends AppError {
  /** @param waitMs until there is another try. */
  constructor(
    readonly limit: string,
    waitMs: number,
  ) {
    const seconds = Math.max(1, Math.ceil(waitMs / 1000));
    super("TOO_MANY_REQUESTS", `Too many attempts. Try again in ${seconds} seconds.`, {
      headers: { "Retry-After": String(seconds) },
    });
  }
}

/** Somebody tries something that guesses could be made by. */
export interface Attempt {
  readonly route: AuthRouteName;
  readonly clientAddress: string;
  /** As it was typed. */
  readonly email: string | undefined;
  /** The `Cookie` header. */
  readonly cookie: string | null;
  /** The presented session's cookie; null for none. */
  readonly session: string | null;
}

/** What an attempt came to: a guess that was wrong, one that was right, or none at all. */
export type Outcome = "failure" | "success" | "none";

/** An attempt that may be made. */
export interface Admission {
  /** Counts what it came to. @returns the `Set-Cookie` values that go with it. */
  settle(outcome: Outcome): Promise<readonly string[]>;
}

/** Limits on guessing, shared by all instances on a database. */
export interface Limits {
  /** @throws AppError 429 for what is known, here, to be too much: nothing is asked. */
  refuseKnown(attempt: Attempt): void;
  /** Counts an attempt before it is made, so that many at once are no more than one after the other. @throws AppError 429, 503. */
  admit(attempt: Attempt): Promise<Admission>;
  /** Whether a browser never signed in to an account here. @param email in canonical form. */
  isNewDevice(cookie: string | null, email: string | undefined): Promise<boolean>;
  /** Counts a mail that tells somebody of what they did. @returns false where there were many of late. */
  mayTell(what: string, userId: string): Promise<boolean>;
  /** Counts a mail to an address, in canonical form. @returns false where there were many of late. */
  mayMail(email: string): Promise<boolean>;
}

/** Where an attempt is counted. */
interface Counter {
  readonly name: string;
  readonly limiter: Limiter;
  readonly key: string;
  /** Whether a success is no reason to count it. */
  readonly forgives: boolean;
}

const minute = 60;
const hour = 60 * minute;
/** Of one address at one account: a single stranger makes nobody else wait. */
const pairRate: Rate = { points: 10, seconds: 15 * minute };
/** Failed changes and deletions, by session and by address. */
const changeRate: Rate = { points: 10, seconds: 15 * minute };
/** Consecutive failures at an account, NIST SP 800-63B-4 §3.2.2, and when they begin anew. */
const accountRate: Rate = { points: 100, seconds: 24 * hour };
/** Mails that one client has sent, and that one account is sent: nobody's mailbox is filled by strangers. */
const mailClientRate: Rate = { points: 20, seconds: hour };
const mailAccountRate: Rate = { points: 5, seconds: hour };
/** Tries of a code of eight digits, at one account. */
const codeRate: Rate = { points: 5, seconds: hour };
const freeFailures = 5;
const delayMaxSeconds = 15 * minute;

const mailing: ReadonlySet<AuthRouteName> = new Set([
  "requestPasswordReset",
  "sendVerificationEmail",
  "changeEmail",
]);

/** After so many failures in a row, how long until the next try: 1 s after five, doubled by each, up to 15 min. */
function delaySeconds(failures: number): number {
  return failures < freeFailures ? 0 : Math.min(delayMaxSeconds, 2 ** (failures - freeFailures));
}

/** @param keyOf a keyed hash: whoever has the table alone learns no address and no e-mail. */
export function createLimits(
  store: LimitStore,
  rules: LimitRules,
  keyOf: (text: string) => string,
  devices: Devices,
  endedAt: (account: string) => Promise<number>,
): Limits {
  const limiter = (prefix: string, { points, seconds }: Rate) =>
    createLimiter({ store, prefix, points, durationSeconds: seconds });
  const signIns = limiter("in", rules.signIn);
  const signUps = limiter("up", rules.signUp);
  const pairs = limiter("pair", pairRate);
  const changes = limiter("change", changeRate);
  const mailClients = limiter("mailer", mailClientRate);
  const mailAccounts = limiter("mailed", mailAccountRate);
  const tellings = limiter("told", mailAccountRate);
  const codes = limiter("code", codeRate);
  const failures = limiter("fail", accountRate);
  const gates = limiter("gate", { points: 1, seconds: delayMaxSeconds });

  /** The account that is tried; a browser that once signed in to it has a count of its own. */
  const accountOf = ({ email, cookie }: Attempt, ended = 0) => {
    const account = email === undefined ? null : canonicalOrNull(email);
    if (account === null) return null;
    const device = devices.find(cookie, account, ended);
    return {
      account,
      device,
      key: keyOf(device === null ? `account:${account}` : `device:${device}:${account}`),
    };
  };
  /** Since when browsers are known at an account again; asked only of one that brings a cookie. */
  const endedFor = async (email: string | undefined, cookie: string | null) => {
    const account = email === undefined ? null : canonicalOrNull(email);
    return account === null || devices.find(cookie, account) === null ? 0 : await endedAt(account);
  };
  const countersOf = (attempt: Attempt, ended = 0): readonly Counter[] => {
    const client = clientOf(attempt.clientAddress);
    const address = keyOf(`address:${client}`);
    if (attempt.route === "signUp")
      return [{ name: "sign-ups", limiter: signUps, key: address, forgives: false }];
    if (mailing.has(attempt.route)) {
      const account = attempt.email === undefined ? null : canonicalOrNull(attempt.email);
      const counters = [{ name: "mails", limiter: mailClients, key: address, forgives: false }];
      if (account === null) return counters;
      const key = keyOf(`account:${account}`);
      return [...counters, { name: "mails-to", limiter: mailAccounts, key, forgives: false }];
    }
    if (attempt.route === "verifyEmailCode") {
      const account = attempt.email === undefined ? null : canonicalOrNull(attempt.email);
      const key = keyOf(`account:${account ?? ""}`);
      return [
        { name: "changes", limiter: changes, key: address, forgives: true },
        { name: "codes", limiter: codes, key, forgives: true },
      ];
    }
    if (attempt.route !== "signIn") {
      // Who shows no session guesses nothing, and shares no count with others who show none.
      const keys = attempt.session === null ? [address] : [address, keyOf(`session:${attempt.session}`)];
      return keys.map((key) => ({ name: "changes", limiter: changes, key, forgives: true }));
    }
    const found = accountOf(attempt, ended);
    const counters: Counter[] = [{ name: "sign-ins", limiter: signIns, key: address, forgives: true }];
    if (found !== null && found.device === null)
      counters.push({
        name: "pair",
        limiter: pairs,
        key: keyOf(`pair:${client}:${found.account}`),
        forgives: true,
      });
    return counters;
  };

  return {
    isNewDevice: async (cookie, email) =>
      rules.tellsOfDevices &&
      email !== undefined &&
      devices.find(cookie, email, await endedFor(email, cookie)) === null,
    mayTell: async (what, userId) => (await tellings.take(keyOf(`${what}:${userId}`))).isLeft,
    mayMail: async (email) => (await mailAccounts.take(keyOf(`account:${email}`))).isLeft,
    refuseKnown(attempt) {
      for (const { name, limiter: counter, key } of countersOf(attempt))
        refuseIf(name, counter.blockedMs(key));
      const found = attempt.route === "signIn" ? accountOf(attempt) : null;
      if (found === null) return;
      refuseIf("account", failures.blockedMs(found.key));
      refuseIf("account", gates.blockedMs(found.key));
    },
    async admit(attempt) {
      const ended = await endedFor(attempt.email, attempt.cookie);
      const counters = countersOf(attempt, ended);
      const found = attempt.route === "signIn" ? accountOf(attempt, ended) : null;
      const [counted, tries] = await Promise.all([
        Promise.all(counters.map((counter) => counter.limiter.take(counter.key))),
        found === null ? undefined : failures.take(found.key),
      ]);
      const giveBack = () =>
        Promise.all([
          ...counters
            .filter((_, at) => counted[at]?.isLeft)
            .map(({ limiter: one, key }) => one.giveBack(key)),
          ...(found !== null && tries?.isLeft === true ? [failures.giveBack(found.key)] : []),
        ]);
      const refused = counters.findIndex((_, at) => counted[at]?.isLeft === false);
      const first = counted[refused];
      const wait =
        first?.isLeft === false
          ? { name: counters[refused]?.name ?? "", ms: first.waitMs }
          : await waitAtAccount(found?.key, tries);
      if (wait !== null) {
        await giveBack();
        throw new LimitReached(wait.name, wait.ms);
      }
      return {
        async settle(outcome) {
          if (outcome === "none") await giveBack();
          if (outcome !== "success") return [];
          const forgiven = counters.filter(({ forgives }) => forgives);
          await Promise.all([
            ...forgiven.map(({ limiter: one, key }) => one.giveBack(key)),
            ...(found === null ? [] : [failures.reset(found.key)]),
            ...(found === null || countOf(tries) < freeFailures ? [] : [gates.reset(found.key)]),
          ]);
          const account = attempt.email === undefined ? null : canonicalOrNull(attempt.email);
          return account === null ? [] : devices.remember(attempt.cookie, account, ended);
        },
      };
    },
  };

  /** One try a delay, however many arrive at once. */
  async function waitAtAccount(
    key: string | undefined,
    tries: Awaited<ReturnType<Limiter["take"]>> | undefined,
  ): Promise<{ readonly name: string; readonly ms: number } | null> {
    if (key === undefined || tries === undefined) return null;
    if (!tries.isLeft) return { name: "account", ms: tries.waitMs };
    const delay = delaySeconds(tries.count);
    const gate = tries.count < freeFailures ? null : await gates.take(key, delay);
    return gate?.isLeft === false ? { name: "account", ms: gate.waitMs } : null;
  }
}

const countOf = (tries: Awaited<ReturnType<Limiter["take"]>> | undefined): number =>
  tries?.isLeft === true ? tries.count : 0;

function canonicalOrNull(email: string): string | null {
  try {
    return canonicalEmail(email);
  } catch {
    // The route refuses it, and nothing was guessed.
    return null;
  }
}

function refuseIf(name: string, waitMs: number): void {
  if (waitMs > 0) throw new LimitReached(name, waitMs);
}
