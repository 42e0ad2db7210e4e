import { passwordCodes } from "./error-codes.ts";
import { mailRoutes } from "./routes/mail-routes.ts";
import { pageRoutes } from "./routes/page-routes.ts";
import type { Route } from "./routes/route.ts";

const entry = { methods: "POST", caller: "anyone", betterAuth: true, hashes: true } as const;
const change = { methods: "POST", kind: "account", caller: "with a session", betterAuth: true } as const;
const reading = { methods: "GET", kind: "session", caller: "with or without a session" } as const;
const service = { methods: "GET", kind: "service", caller: "anyone" } as const;
const verification = {
  methods: "GET",
  kind: "verification",
  caller: "with a session",
  ok: "Verified",
  refuses: ["NO_CREDENTIALS", "INVALID_SESSION", "SESSION_EXPIRED", "SESSION_STORE_UNAVAILABLE"],
} as const;
const revocation = {
  methods: "POST",
  kind: "session",
  caller: "with a session",
  betterAuth: true,
  event: "session_revocation",
  ok: "Done",
} as const;

/** Every route; its name is the handler's in `app.ts` and the operation's in the OpenAPI document. */
export const routes = {
  signUp: {
    ...entry,
    path: "/api/auth/sign-up/email",
    kind: "account",
    summary: "Make an account and sign in",
    answer:
      "200 `{token,user}` and the session cookie; 422 when the e-mail is taken; 400 for bad input, or `EMAIL_PASSWORD_SIGN_UP_DISABLED` when sign-up is closed or needs [an invitation](#invitations)",
    event: "sign_up",
    body: "SignUp",
    ok: "SignedUp",
    refuses: [
      ...passwordCodes,
      "EMAIL_DOMAIN_NOT_ALLOWED",
      "EMAIL_PASSWORD_SIGN_UP_DISABLED",
      "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL",
    ],
  },
  signIn: {
    ...entry,
    path: "/api/auth/sign-in/email",
    kind: "session",
    summary: "Sign in with an e-mail address and a password",
    answer:
      "200 `{redirect,token,user}` and the session cookie; 401 `INVALID_EMAIL_OR_PASSWORD`, the same bytes for an unknown e-mail and a wrong password",
    event: "sign_in",
    body: "SignIn",
    ok: "SignedIn",
    refuses: ["PASSWORD_TOO_LONG", "INVALID_EMAIL_OR_PASSWORD", "EMAIL_NOT_VERIFIED"],
  },
  signOut: {
    path: "/api/auth/sign-out",
    methods: "POST",
    kind: "session",
    caller: "with or without a session",
    summary: "End the session",
    answer:
      '200 `{"success":true}` once every session presented is deleted, `false` when there was none, and the cookie ends; 503 when one could not be deleted',
    betterAuth: true,
    event: "sign_out",
    ok: "SignedOut",
  },
  getSession: {
    ...reading,
    path: "/api/auth/get-session",
    summary: "Who is signed in, or null",
    answer:
      "200 `{session,user}`, or the word `null` when nobody is signed in; slides the session on when that is due",
    betterAuth: true,
    fast: true,
    ok: "SessionOrNull",
  },
  session: {
    ...reading,
    path: "/api/auth/session",
    summary: "Who is signed in, as an object in any case",
    answer: 'as `get-session`, but `{"user":null,"session":null}` when nobody is signed in',
    fast: true,
    ok: "SessionOrNobody",
  },
  verify: {
    ...verification,
    path: "/api/auth/verify",
    summary: "Whether the caller's session lives, and whose it is",
    answer: "for APIs and proxies: 200, 401 or 503, [see below](#verify)",
    fast: true,
  },
  forward: {
    ...verification,
    path: "/api/auth/forward",
    summary: "As verify, for proxies that hand the answer on",
    answer: "as verify, but [a person who opens a page](#forward) is led to sign in",
  },
  listSessions: {
    path: "/api/auth/list-sessions",
    methods: "GET",
    kind: "session",
    caller: "with a session",
    summary: "The user's live sessions",
    answer:
      "200 with the newest 1,000 of the visitor's live sessions, and their number as `X-Total-Count`. `token` holds the session's id, never the real token",
    betterAuth: true,
    ok: "SessionList",
  },
  revokeSession: {
    ...revocation,
    path: "/api/auth/revoke-session",
    summary: "End one of the user's sessions",
    answer:
      '`{"token":…}` takes what `list-sessions` showed, or a real token; 200 `{"status":true}`, `false` when the visitor has no such session',
    ok: "Revoked",
    body: "SessionRevocation",
  },
  revokeSessions: {
    ...revocation,
    path: "/api/auth/revoke-sessions",
    summary: "End every session of the user, this one included",
  },
  revokeOtherSessions: {
    ...revocation,
    path: "/api/auth/revoke-other-sessions",
    summary: "End every session of the user but this one",
  },
  changePassword: {
    ...change,
    path: "/api/auth/change-password",
    summary: "Replace the password",
    answer: "`{currentPassword,newPassword,revokeOtherSessions}`",
    event: "password_change",
    hashes: true,
    body: "PasswordChange",
    ok: "PasswordChanged",
    refuses: [...passwordCodes, "INVALID_PASSWORD", "CREDENTIAL_ACCOUNT_NOT_FOUND"],
  },
  ...mailRoutes,
  resetPassword: {
    ...entry,
    path: "/api/auth/reset-password",
    kind: "account",
    summary: "Set a new password by a link that was given out for that",
    answer:
      '`{token,newPassword}`; 200 `{"status":true}` once the password is set and every session of the user has ended; 400 `INVALID_RECOVERY_TOKEN` where the link no longer works, [see below](#recovery-links)',
    event: "password_recovery",
    body: "PasswordReset",
    ok: "Done",
    refuses: [...passwordCodes, "INVALID_RECOVERY_TOKEN"],
  },
  updateUser: {
    ...change,
    path: "/api/auth/update-user",
    summary: "Change the name or the image",
    answer: "`{name}`, `{image}`; an image is an http or https address",
    event: "profile_update",
    body: "UserUpdate",
    ok: "Done",
    refuses: ["EMAIL_CAN_NOT_BE_UPDATED"],
  },
  deleteUser: {
    ...change,
    path: "/api/auth/delete-user",
    summary: "Delete the account and its sessions",
    answer: "`{password}`, which is required; the account and its sessions are gone",
    event: "account_deletion",
    hashes: true,
    body: "UserDeletion",
    ok: "UserDeleted",
    refuses: ["PASSWORD_TOO_LONG", "INVALID_PASSWORD", "CREDENTIAL_ACCOUNT_NOT_FOUND", "INVALID_TOKEN"],
  },
  ...pageRoutes,
  openApi: {
    ...service,
    path: "/openapi.json",
    summary: "These routes as an OpenAPI 3.1 document",
    ok: "OpenApi",
  },
  health: {
    ...service,
    path: "/health",
    summary: "Whether the server can answer",
    answer:
      "ready: 200, else 503; `{status,version,checks}`, within 2 s. A good database result may be 5 s old, on Neon any age while nobody asks",
    fast: true,
    ok: "Health",
  },
  live: {
    ...service,
    path: "/health/live",
    summary: "Whether the process answers",
    answer: "alive: 200 without asking the database",
    fast: true,
    ok: "Alive",
  },
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof routes;
/** The names of the routes of which something is known, such as `{ fast: true }`. */
export type RouteWith<Known extends Partial<Route>> = {
  [Name in RouteName]: (typeof routes)[Name] extends Known ? Name : never;
}[RouteName];
/** The names of the routes that are handed to BetterAuth. */
export type AuthRouteName = RouteWith<{ betterAuth: true }>;

export interface NamedRoute extends Route {
  readonly name: RouteName;
}

export const routeList: readonly NamedRoute[] = Object.entries(routes).map(([name, route]) => ({
  name: name as RouteName,
  ...route,
}));

const exact = new Map(routeList.map((route) => [route.path, route]));

/** The route at a path without its trailing slash; undefined where there is nothing. */
export function findRoute(path: string): NamedRoute | undefined {
  const found = exact.get(path);
  if (found !== undefined) return found;
  if (/^\/assets\/[^/]+$/.test(path)) return exact.get(routes.asset.path);
  return /^\/api\/auth\/reset-password\/[^/]+$/.test(path) ? exact.get(routes.recoveryLink.path) : undefined;
}

/** Everything that `OPTIONS` aside may be asked of a route. */
export function methodsOf({ methods, changes }: Route): readonly string[] {
  if (changes === true) return [methods];
  return { GET: ["GET", "HEAD"], POST: ["POST"], "GET POST": ["GET", "HEAD", "POST"] }[methods];
}

const pageSegments = new Set(
  routeList.flatMap(({ kind, path }) => (kind === "pages" ? [path.split("/")[1]] : [])),
);

/** Whether what is at a path, or would be, answers in HTML. */
export function isPagePath(path: string): boolean {
  const segment = path.split("/")[1];
  return path === routes.root.path || (segment !== "" && pageSegments.has(segment));
}

/** A path without its trailing slash: both are the same route. */
export function withoutTrailingSlash(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}
