import { randomUUID } from "node:crypto";

const password = "correct horse battery";
const requestOrigin = "http://localhost:3000";
const cookieName = "better-auth.session_token";

/** What a session must be by what was acknowledged; `unknown` once a change of it was not. */
type State = "live" | "ended" | "unknown";

interface Session {
  /** `name=value`. */
  readonly cookie: string;
  state: State;
  /** Counts the changes that were asked for: an answer that one overtook says nothing. */
  changes: number;
}

interface Account {
  readonly email: string;
  /** The one that counts; several where nobody knows. */
  passwords: readonly string[];
}

interface LedgerReport {
  readonly signUps: number;
  readonly signOuts: number;
  readonly passwordChanges: number;
  /** Verifies that had to be 200 or 401, and were. */
  readonly verified: number;
  /** 503s of any route. */
  readonly unavailable: number;
  /** The longest that any request took, in milliseconds. */
  readonly slowestMs: number;
  /** Which one that was, and what it was told. */
  readonly slowest: string;
}

/**
 * Visitors of one latchkey or of several on one database, who write down what was acknowledged, and what was not true:
 * a verify that says 200 after a sign-out was acknowledged or 401 though nobody signed out, and any status that is
 * neither what it must be nor 503.
 */
export interface Ledger {
  /** Everything that cannot be, in words. */
  readonly lies: readonly string[];
  readonly report: () => LedgerReport;
  /** Signs up, changes passwords, signs out and verifies until `stop`, at every server at once. */
  readonly start: () => void;
  readonly stop: () => Promise<void>;
  /** Resolves once so much more of each kind was acknowledged as there was at the call. */
  readonly more: (count: number) => Promise<void>;
  /**
   * Until every server has verified a session and made an account: asked again and again.
   * @returns how long that took, in milliseconds. @throws after `limitMs`.
   */
  readonly recovered: (limitMs: number) => Promise<number>;
  /**
   * Asks for everything that was acknowledged, of a database that is well again.
   * @param emails those that have an account, by the database itself.
   * @returns what is not there, in words.
   */
  readonly lost: (emails: readonly string[]) => Promise<string[]>;
}

export interface LedgerOptions {
  /** Where each server listens. */
  readonly urls: readonly string[];
  /** Who sign up, change and sign out at each of them at once; default 3. */
  readonly lanes?: number;
}

export function openLedger({ urls, lanes = 3 }: LedgerOptions): Ledger {
  const accounts: Account[] = [];
  const sessions: Session[] = [];
  const lies: string[] = [];
  const counts = {
    signUps: 0,
    signOuts: 0,
    passwordChanges: 0,
    verified: 0,
    unavailable: 0,
    slowestMs: 0,
    slowest: "",
  };
  let running: Promise<unknown> | undefined;
  let isRunning = false;
  let turn = 0;

  const ask = async (
    url: string,
    path: string,
    { cookie, body }: { cookie?: string; body?: object } = {},
  ) => {
    const asked = performance.now();
    const headers = {
      origin: requestOrigin,
      ...(cookie === undefined ? {} : { cookie }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    };
    const answer = await fetch(
      `${url}/api/auth/${path}`,
      body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) },
    );
    const text = await answer.text();
    const tookMs = Math.round(performance.now() - asked);
    if (tookMs > counts.slowestMs)
      Object.assign(counts, { slowestMs: tookMs, slowest: `${path} ${answer.status} ${text.slice(0, 150)}` });
    if (answer.status === 503) counts.unavailable += 1;
    const given = answer.headers.getSetCookie().find((line) => line.startsWith(`${cookieName}=`));
    return { status: answer.status, text, cookie: given?.split(";")[0] };
  };
  const lie = (what: string, { status, text }: { status: number; text: string }) =>
    void lies.push(`${what}: ${status} ${text.slice(0, 200)}`);
  const addSession = (
    cookie: string | undefined,
    of: { status: number; text: string },
  ): Session | undefined => {
    if (cookie === undefined) return (lie("a success without a cookie", of), undefined);
    const session: Session = { cookie, state: "live", changes: 0 };
    sessions.push(session);
    return session;
  };
  /** Asks for a change of a session, of which nobody knows anything until it is acknowledged. */
  const change = async (session: Session, url: string, path: string, body: object) => {
    session.state = "unknown";
    session.changes += 1;
    const answer = await ask(url, path, { cookie: session.cookie, body });
    if (answer.status === 200) session.state = "ended";
    else if (answer.status !== 503) lie(`${path} of a live session`, answer);
    return answer;
  };

  const signUp = async (url: string) => {
    const email = `ledger-${randomUUID()}@example.com`;
    const answer = await ask(url, "sign-up/email", { body: { email, password, name: "Ledger" } });
    if (answer.status !== 200) {
      if (answer.status !== 503) lie("sign-up", answer);
      return undefined;
    }
    counts.signUps += 1;
    const account: Account = { email, passwords: [password] };
    accounts.push(account);
    return { account, session: addSession(answer.cookie, answer) };
  };
  const changePassword = async (url: string, account: Account, session: Session) => {
    const newPassword = `another good one ${randomUUID()}`;
    account.passwords = [password, newPassword];
    const body = { currentPassword: password, newPassword, revokeOtherSessions: true };
    const answer = await change(session, url, "change-password", body);
    if (answer.status !== 200) return;
    counts.passwordChanges += 1;
    account.passwords = [newPassword];
    addSession(answer.cookie, answer);
  };
  const signOut = async (url: string, session: Session) => {
    const answer = await change(session, url, "sign-out", {});
    if (answer.status !== 200) return;
    if (answer.text.includes("true")) counts.signOuts += 1;
    else lie("a sign-out that found no session", answer);
  };
  const visit = async (url: string) => {
    const made = await signUp(url);
    const number = (turn += 1);
    if (made?.session === undefined) return await Bun.sleep(5);
    // Some stay as they are: nobody may lose a session either.
    if (number % 3 === 0) await changePassword(url, made.account, made.session);
    if (number % 3 === 1) await signOut(url, made.session);
  };
  /** Of a session that nobody is changing; `isWell` takes no 503. */
  const verify = async (url: string, session: Session, isWell = false) => {
    const { state, changes } = session;
    if (state === "unknown") return;
    const answer = await ask(url, "verify", { cookie: session.cookie });
    if (session.changes !== changes) return;
    const expected = state === "live" ? 200 : 401;
    if (answer.status === expected) counts.verified += 1;
    else if (answer.status !== 503 || isWell)
      lie(`verify of ${state === "live" ? "a live" : "an ended"} session`, answer);
  };
  const look = async (url: string) => {
    const session = sessions[Math.floor(Math.random() * sessions.length)];
    if (session !== undefined) await verify(url, session);
    await Bun.sleep(5);
  };
  const repeat = async (task: () => Promise<unknown>) => {
    while (isRunning) await task();
  };
  /** Of a verify and of a sign-up. */
  const tryBoth = async (url: string) => {
    const session = sessions.find(({ state }) => state === "live");
    if (session === undefined) throw new Error("nobody is signed in");
    const [seen, made] = await Promise.all([ask(url, "verify", { cookie: session.cookie }), signUp(url)]);
    return { verify: seen.status, signUp: made === undefined ? 503 : 200 };
  };
  const passwordProblems = async (url: string, { email, passwords }: Account) => {
    const [current = password] = passwords;
    // One that nobody changed is good as long as the account is there, and hashes take their time.
    if (passwords.length > 1 || current === password) return [];
    const { status } = await ask(url, "sign-in/email", { body: { email, password: current } });
    return status === 200 ? [] : [`password of ${email}: ${status}`];
  };
  return {
    lies,
    report: () => ({ ...counts }),
    start() {
      isRunning = true;
      running = Promise.all(
        urls.flatMap((url) => [
          ...Array.from({ length: lanes }, () => repeat(() => visit(url))),
          ...Array.from({ length: 4 }, () => repeat(() => look(url))),
        ]),
      );
    },
    async stop() {
      isRunning = false;
      await running;
    },
    async more(count) {
      const { signUps, signOuts, passwordChanges } = counts;
      const deadline = Date.now() + 30_000;
      const least = () =>
        Math.min(
          counts.signUps - signUps,
          counts.signOuts - signOuts,
          counts.passwordChanges - passwordChanges,
        );
      while (least() < count) {
        if (Date.now() > deadline) throw new Error(`not ${count} more of each: ${JSON.stringify(counts)}`);
        await Bun.sleep(10);
      }
    },
    async recovered(limitMs) {
      const since = performance.now();
      const wait = async (url: string) => {
        for (;;) {
          const tried = await tryBoth(url);
          if (tried.verify === 200 && tried.signUp === 200) return;
          if (performance.now() - since > limitMs)
            throw new Error(`${url} is not back after ${limitMs} ms: ${JSON.stringify(tried)}`);
          await Bun.sleep(20);
        }
      };
      await Promise.all(urls.map(wait));
      return Math.round(performance.now() - since);
    },
    async lost(emails) {
      const known = new Set(emails);
      const missing = accounts
        .filter(({ email }) => !known.has(email))
        .map(({ email }) => `account ${email}`);
      const before = lies.length;
      for (const url of urls) for (const session of sessions) await verify(url, session, true);
      const problems: string[] = [];
      // One after the other: a crowd would be told that there is one.
      for (const account of accounts)
        if (known.has(account.email)) problems.push(...(await passwordProblems(urls[0] ?? "", account)));
      return [...missing, ...lies.splice(before), ...problems];
    },
  };
}
