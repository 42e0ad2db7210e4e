import type { Config } from "../config/config.ts";
import { type FormError, noError } from "./views/form.tsx";
import { SignInPage, SignedInPage } from "./views/sign-in-page.tsx";
import { SignOutPage } from "./views/sign-out-page.tsx";
import { SignUpClosedPage, SignUpPage } from "./views/sign-up-page.tsx";
import { explainRefusal, noticeText, type Refusal } from "./messages.ts";
import { cookieReaches } from "../http/callback-url.ts";
import { type PageAnswers, withCookies } from "./answer.tsx";
import type { PageCalls, PageUser } from "./calls.ts";
import type { PageRequest } from "./page-request.ts";

export interface PageDeps {
  readonly config: Config;
  readonly answers: PageAnswers;
  readonly calls: PageCalls;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

export type PageHandler = (page: PageRequest) => Promise<Response>;

/** The pages around a session's beginning and end. */
export function createEntryPages(deps: PageDeps) {
  return {
    root: async (page: PageRequest) => {
      const { who, cookies } = await deps.calls.signedIn(page);
      const path = who === null ? `/signin${page.destination.search}` : "/account";
      return deps.answers.redirect(deps.config.baseUrl + path, cookies);
    },
    showSignIn: (page: PageRequest) => unlessSignedIn(deps, page, () => signInPage(deps, page, 200, noError)),
    showSignUp: (page: PageRequest) => unlessSignedIn(deps, page, () => signUpPage(deps, page, 200, noError)),
    signIn: (page: PageRequest) => signIn(deps, page),
    signUp: (page: PageRequest) => signUp(deps, page),
    showSignOut: async (page: PageRequest) => {
      const { who, cookies } = await deps.calls.signedIn(page);
      if (who === null) return deps.answers.redirect(page.destination.url, cookies);
      return withCookies(signOutPage(deps, page, 200, noError, who.user), cookies);
    },
    signOut: (page: PageRequest) => signOut(deps, page),
  };
}

/**
 * Sends somebody signed in on at once where the session's cookie gets to; elsewhere a page says who is signed in, or an
 * application that never sees the cookie would send its visitor back for ever.
 */
async function unlessSignedIn(deps: PageDeps, page: PageRequest, form: () => Response): Promise<Response> {
  const { who, cookies } = await deps.calls.signedIn(page);
  if (who === null) return withCookies(form(), cookies);
  const { destination } = page;
  if (cookieReaches(destination.url, deps.config)) return deps.answers.redirect(destination.url, cookies);
  const { site } = deps.answers;
  return withCookies(
    deps.answers.page(200, <SignedInPage site={site} destination={destination} user={who.user} />),
    cookies,
  );
}

async function signIn(deps: PageDeps, page: PageRequest): Promise<Response> {
  const { email = "", password = "", rememberMe } = page.fields;
  const missing = missingFields({
    email: email.trim() === "" && "Enter your email address.",
    password: password === "" && "Enter your password.",
  });
  if (missing !== null) return signInPage(deps, page, 400, missing);
  const outcome = await deps.calls.submit(page, "signIn", {
    email,
    password,
    rememberMe: rememberMe === "true",
  });
  if (outcome.ok) return deps.answers.redirect(page.destination.url, outcome.cookies);
  const { refusal } = outcome;
  return signInPage(deps, page, refusal.status, explainRefusal(refusal, {}), refusal.headers);
}

function signInPage(
  deps: PageDeps,
  page: PageRequest,
  status: number,
  error: FormError,
  headers = {},
): Response {
  const { site } = deps.answers;
  const { email = "", rememberMe } = page.fields;
  const notice = deps.answers.takeNotice(page.context.request.headers);
  const response = deps.answers.page(
    status,
    <SignInPage
      site={site}
      destination={page.destination}
      notice={status === 200 ? noticeText(notice?.name) : undefined}
      error={error}
      email={email}
      rememberMe={status === 200 || rememberMe === "true"}
    />,
    headers,
  );
  return withCookies(response, notice === null ? [] : [notice.cookie]);
}

async function signUp(deps: PageDeps, page: PageRequest): Promise<Response> {
  const { name = "", email = "", password = "" } = page.fields;
  const missing = missingFields({
    name: name.trim() === "" && "Enter your name.",
    email: email.trim() === "" && "Enter your email address.",
    password: password === "" && "Choose a password.",
  });
  if (missing !== null) return signUpPage(deps, page, 400, missing);
  const outcome = await deps.calls.submit(page, "signUp", { name: name.trim(), email, password });
  if (outcome.ok) {
    // Where another site takes over, the welcome is its own.
    const isOwn = page.destination.host === null;
    const welcome = isOwn ? [deps.answers.notice("welcome")] : [];
    return deps.answers.redirect(page.destination.url, [...outcome.cookies, ...welcome]);
  }
  const { refusal } = outcome;
  const error = explainRefusal(refusal, {});
  return signUpPage(deps, page, refusal.status, error, refusal);
}

function signUpPage(
  deps: PageDeps,
  page: PageRequest,
  status: number,
  error: FormError,
  refusal?: Refusal,
): Response {
  const { site } = deps.answers;
  const { destination } = page;
  if (site.signUp === "closed")
    return deps.answers.page(403, <SignUpClosedPage site={site} destination={destination} />);
  const { name = "", email = "" } = page.fields;
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

async function signOut(deps: PageDeps, page: PageRequest): Promise<Response> {
  const outcome = await deps.calls.submit(page, "signOut", {});
  if (!outcome.ok) {
    const { refusal } = outcome;
    const error = { fields: {}, form: "You are still signed in: accounts cannot be reached at the moment." };
    return signOutPage(deps, page, refusal.status, error, null, refusal.headers);
  }
  // Where nobody chose another place, there is nothing left to go back to.
  const isAccount = page.destination.url === `${deps.config.baseUrl}/account`;
  if (page.fields["next"] !== "signin" && !isAccount)
    return deps.answers.redirect(page.destination.url, outcome.cookies);
  return deps.answers.redirect(`${deps.config.baseUrl}/signin${page.destination.search}`, [
    ...outcome.cookies,
    deps.answers.notice("signed-out"),
  ]);
}

function signOutPage(
  deps: PageDeps,
  page: PageRequest,
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
      destination={page.destination}
      error={error}
      user={user}
      toSignIn={page.fields["next"] === "signin"}
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
