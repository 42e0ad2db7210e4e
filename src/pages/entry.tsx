import type { Config } from "../config/load.ts";
import type { AppError } from "../errors.ts";
import { type FormError, noError } from "./views/form.tsx";
import { SignInPage, SignedInPage } from "./views/sign-in-page.tsx";
import { SignOutPage } from "./views/sign-out-page.tsx";
import { SignUpClosedPage, SignUpPage } from "./views/sign-up-page.tsx";
import { explainRefusal, noticeText } from "./messages.ts";
import { cookieReaches } from "../http/callback-url.ts";
import type { PageAnswers } from "./answer.ts";
import { refusalOf } from "./refusal.tsx";
import type { PageCalls, PageUser } from "./calls.ts";
import type { Visit } from "./page-request.ts";

export interface PageDeps {
  readonly config: Config;
  readonly answers: PageAnswers;
  readonly calls: PageCalls;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

export type PageHandler = (visit: Visit) => Promise<Response>;

/** The pages around a session's beginning and end. */
export function createEntryPages(deps: PageDeps) {
  return {
    root: async (visit: Visit) => {
      const { who, cookies } = await deps.calls.signedIn(visit);
      const path = who === null ? `/signin${visit.destination.search}` : "/account";
      return deps.answers.redirect(deps.config.baseUrl + path, cookies);
    },
    showSignIn: (visit: Visit) => unlessSignedIn(deps, visit, () => signInPage(deps, visit, 200, noError)),
    showSignUp: (visit: Visit) => unlessSignedIn(deps, visit, () => signUpPage(deps, visit, 200, noError)),
    signIn: (visit: Visit) => signIn(deps, visit),
    signUp: (visit: Visit) => signUp(deps, visit),
    showSignOut: async (visit: Visit) => {
      const { who, cookies } = await deps.calls.signedIn(visit);
      if (who === null) return deps.answers.redirect(visit.destination.url, cookies);
      return withCookies(signOutPage(deps, visit, 200, noError, who.user), cookies);
    },
    signOut: (visit: Visit) => signOut(deps, visit),
  };
}

/**
 * Sends somebody signed in on at once where the session's cookie gets to; elsewhere a page says who is signed in, or an
 * application that never sees the cookie would send its visitor back for ever.
 */
async function unlessSignedIn(deps: PageDeps, visit: Visit, form: () => Response): Promise<Response> {
  const { who, cookies } = await deps.calls.signedIn(visit);
  if (who === null) return withCookies(form(), cookies);
  const { destination } = visit;
  if (cookieReaches(destination.url, deps.config)) return deps.answers.redirect(destination.url, cookies);
  const { site } = deps.answers;
  return withCookies(
    deps.answers.page(200, <SignedInPage site={site} destination={destination} user={who.user} />),
    cookies,
  );
}

async function signIn(deps: PageDeps, visit: Visit): Promise<Response> {
  const { email = "", password = "", rememberMe } = visit.fields;
  const missing = missingFields({
    email: email.trim() === "" && "Enter your email address.",
    password: password === "" && "Enter your password.",
  });
  if (missing !== null) return signInPage(deps, visit, 400, missing);
  const outcome = await deps.calls.submit(visit, "/sign-in/email", {
    email,
    password,
    rememberMe: rememberMe === "true",
  });
  if (outcome.ok) return deps.answers.redirect(visit.destination.url, outcome.cookies);
  const { refusal } = outcome;
  return signInPage(deps, visit, refusal.status, explainRefusal(refusalOf(refusal), {}), refusal.headers);
}

function signInPage(deps: PageDeps, visit: Visit, status: number, error: FormError, headers = {}): Response {
  const { site } = deps.answers;
  const { email = "", rememberMe } = visit.fields;
  const notice = deps.answers.takeNotice(visit.headers);
  const page = deps.answers.page(
    status,
    <SignInPage
      site={site}
      destination={visit.destination}
      notice={status === 200 ? noticeText(notice?.name) : undefined}
      error={error}
      email={email}
      rememberMe={status === 200 || rememberMe === "true"}
    />,
    headers,
  );
  return withCookies(page, notice === null ? [] : [notice.cookie]);
}

async function signUp(deps: PageDeps, visit: Visit): Promise<Response> {
  const { name = "", email = "", password = "" } = visit.fields;
  const missing = missingFields({
    name: name.trim() === "" && "Enter your name.",
    email: email.trim() === "" && "Enter your email address.",
    password: password === "" && "Choose a password.",
  });
  if (missing !== null) return signUpPage(deps, visit, 400, missing);
  const outcome = await deps.calls.submit(visit, "/sign-up/email", { name: name.trim(), email, password });
  if (outcome.ok) return deps.answers.redirect(visit.destination.url, outcome.cookies);
  const { refusal } = outcome;
  const error = explainRefusal(refusalOf(refusal), {});
  return signUpPage(deps, visit, refusal.status, error, refusal);
}

function signUpPage(
  deps: PageDeps,
  visit: Visit,
  status: number,
  error: FormError,
  refusal?: AppError,
): Response {
  const { site } = deps.answers;
  const { destination } = visit;
  if (site.signUp === "closed")
    return deps.answers.page(403, <SignUpClosedPage site={site} destination={destination} />);
  const { name = "", email = "" } = visit.fields;
  const emailTaken = refusal?.code.startsWith("USER_ALREADY_EXISTS") === true;
  return deps.answers.page(
    status,
    <SignUpPage
      site={site}
      destination={destination}
      error={error}
      emailTaken={emailTaken}
      name={name}
      email={email}
    />,
    refusal?.headers ?? {},
  );
}

async function signOut(deps: PageDeps, visit: Visit): Promise<Response> {
  const outcome = await deps.calls.submit(visit, "/sign-out", {});
  if (!outcome.ok) {
    const { refusal } = outcome;
    const error = { fields: {}, form: "You are still signed in: accounts cannot be reached at the moment." };
    return signOutPage(deps, visit, refusal.status, error, null, refusal.headers);
  }
  if (visit.fields["next"] !== "signin") return deps.answers.redirect(visit.destination.url, outcome.cookies);
  return deps.answers.redirect(`${deps.config.baseUrl}/signin${visit.destination.search}`, [
    ...outcome.cookies,
    deps.answers.notice("signed-out"),
  ]);
}

function signOutPage(
  deps: PageDeps,
  visit: Visit,
  status: number,
  error: FormError,
  user: PageUser | null,
  headers = {},
): Response {
  const { site } = deps.answers;
  return deps.answers.page(
    status,
    <SignOutPage
      site={site}
      destination={visit.destination}
      error={error}
      user={user}
      toSignIn={visit.fields["next"] === "signin"}
    />,
    headers,
  );
}

/** What is missing, field by field; null when nothing is. */
export function missingFields(checks: Readonly<Record<string, string | false>>): FormError | null {
  const fields = Object.fromEntries(
    Object.entries(checks).filter((entry): entry is [string, string] => entry[1] !== false),
  );
  return Object.keys(fields).length === 0 ? null : { fields };
}

export function withCookies(response: Response, cookies: readonly string[]): Response {
  for (const cookie of cookies) response.headers.append("Set-Cookie", cookie);
  return response;
}
