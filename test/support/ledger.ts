/** What is known of an account: a second writer of the truth, which no server and no database has a part in. */
export interface Standing {
  readonly exists: boolean;
  readonly password: string;
  readonly name: string;
  /** Tokens of sessions that live, as far as they are known. */
  readonly live: readonly string[];
  /** Tokens of sessions that have ended. */
  readonly ended: readonly string[];
}

/** One account's page: what was acknowledged, and what came of it if the request without an answer was done. */
export interface Page {
  readonly email: string;
  told: Standing;
  /** Null where every request has had its answer. */
  doubt: Standing | null;
  /** The password that last signed in after a crash. */
  tried: string | null;
}

/** What a request asks for, and what that makes of the account. */
export interface Deed {
  readonly name: string;
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** Of the session that asks; null for nobody's. */
  readonly token: string | null;
  /** @param issued the token that the answer brought; null where it brought none, or where there was none. */
  readonly after: (before: Standing, issued: string | null) => Standing;
}

/** What there is, seen from outside. */
export interface Sight {
  readonly exists: boolean;
  readonly name: string | null;
  /** Of the tokens that the page knows, those that live. */
  readonly live: readonly string[];
}

export const firstPassword = "correct horse battery";

export function openPage(email: string): Page {
  const told = { exists: false, password: firstPassword, name: "", live: [], ended: [] };
  return { email, told, doubt: null, tried: null };
}

const issue = (live: readonly string[], token: string | null) => (token === null ? live : [...live, token]);
const endAll = (standing: Standing, but: readonly string[]): Standing => ({
  ...standing,
  live: standing.live.filter((token) => but.includes(token)),
  ended: [...standing.ended, ...standing.live.filter((token) => !but.includes(token))],
});
const unique = () => crypto.randomUUID();

/** What somebody may ask for who has two sessions at least, and how often against the others. */
const deeds: readonly (readonly [weight: number, make: (page: Page, own: string, other: string) => Deed])[] =
  [
    [
      4,
      (_page, own) => {
        const name = `Name ${unique()}`;
        return {
          name: "rename",
          path: "update-user",
          body: { name },
          token: own,
          after: (before) => ({ ...before, name }),
        };
      },
    ],
    [
      4,
      (_page, own) => ({
        name: "sign out",
        path: "sign-out",
        body: {},
        token: own,
        after: (before) =>
          endAll(
            before,
            before.live.filter((token) => token !== own),
          ),
      }),
    ],
    [
      3,
      (_page, own, other) => ({
        name: "revoke one",
        path: "revoke-session",
        body: { token: other },
        token: own,
        after: (before) =>
          endAll(
            before,
            before.live.filter((token) => token !== other),
          ),
      }),
    ],
    [
      2,
      (_page, own) => ({
        name: "revoke others",
        path: "revoke-other-sessions",
        body: {},
        token: own,
        after: (before) => endAll(before, [own]),
      }),
    ],
    [
      1,
      (_page, own) => ({
        name: "revoke all",
        path: "revoke-sessions",
        body: {},
        token: own,
        after: (before) => endAll(before, []),
      }),
    ],
    [
      2,
      ({ told }, own) => {
        const newPassword = `another one ${unique()}`;
        return {
          name: "change password",
          path: "change-password",
          body: { currentPassword: told.password, newPassword },
          token: own,
          after: (before) => ({ ...before, password: newPassword }),
        };
      },
    ],
    [
      2,
      ({ told }, own) => {
        const newPassword = `another one ${unique()}`;
        return {
          name: "change password and revoke",
          path: "change-password",
          body: { currentPassword: told.password, newPassword, revokeOtherSessions: true },
          token: own,
          after: (before, issued) => {
            const ended = endAll(before, []);
            return { ...ended, password: newPassword, live: issue([], issued) };
          },
        };
      },
    ],
    [
      1,
      ({ told }, own) => ({
        name: "delete",
        path: "delete-user",
        body: { password: told.password },
        token: own,
        after: (before) => ({ ...endAll(before, []), exists: false }),
      }),
    ],
    [1, (page) => signIn(page)],
  ];

const chances = deeds.flatMap(([weight, make]) => Array.from({ length: weight }, () => make));

function signIn({ email, told }: Page): Deed {
  return {
    name: "sign in",
    path: "sign-in/email",
    body: { email, password: told.password },
    token: null,
    after: (before, issued) => ({ ...before, live: issue(before.live, issued) }),
  };
}

function signUp({ email, told }: Page): Deed {
  const name = `Name ${unique()}`;
  return {
    name: "sign up",
    path: "sign-up/email",
    body: { email, password: told.password, name },
    token: null,
    after: (before, issued) => ({ ...before, exists: true, name, live: issue([], issued) }),
  };
}

/** @returns something that the account's owner may do next. */
export function nextDeed(page: Page): Deed {
  const [own, other] = page.told.live.toSorted(() => Math.random() - 0.5);
  if (!page.told.exists) return signUp(page);
  if (own === undefined || other === undefined) return signIn(page);
  const make = chances[Math.floor(Math.random() * chances.length)] ?? signIn;
  return make(page, own, other);
}

/** @returns what speaks against a standing; empty where what is seen is that and nothing else. */
export function differences(standing: Standing, sight: Sight): readonly string[] {
  const wrong: string[] = [];
  if (standing.exists !== sight.exists)
    wrong.push(standing.exists ? "the account is lost" : "the account is there");
  if (standing.exists && sight.exists && standing.name !== sight.name)
    wrong.push(`the name is ${String(sight.name)}`);
  const lost = standing.live.filter((token) => !sight.live.includes(token)).length;
  if (lost > 0) wrong.push(`${lost} sessions are lost`);
  const revived = standing.ended.filter((token) => sight.live.includes(token)).length;
  if (revived > 0) wrong.push(`${revived} ended sessions live`);
  return wrong;
}
