import type { Config } from "../config/config.ts";
import { type FormError, noError } from "./views/form.tsx";
import { ForgotPasswordPage, SignInPage, SignedInInvitedPage, SignedInPage } from "./views/sign-in-page.tsx";
import { SignOutPage } from "./views/sign-out-page.tsx";
import { SignUpClosedPage, SignUpPage } from "./views/sign-up-page.tsx";
import { type InputRules, nameMaxLength } from "../auth/input.ts";
import { noticeText } from "./refusals.ts";
import { cookieReaches } from "../http/callback-url.ts";
import { type PageAnswers, withCookies } from "./answer.tsx";
import type { PageCalls, PageUser } from "./calls.ts";
import { explainAll, explainMissing, type Filling } from "./faults.ts";
import type { PageRequest } from "./page-request.ts";

export interface PageDeps {
  readonly config: Config;
  readonly rules: InputRules;
  readonly answers: PageAnswers;
  readonly calls: PageCalls;
  /** Whom an invitation is for; null where it does not count. */
  readonly findInvitation: (token: unknown) => Promise<{ readonly email: string | null } | null>;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

/** Of a page whose address has a token, which none that it links to is to be told; but a form needs an `Origin`. */
export const withoutAddress = { "Referrer-Policy": "strict-origin" };

export type PageHandler = (page: PageRequest) => Promise<Response>;

/** A form that was not taken, shown again. */
interface Refused {
  readonly status: number;
  readonly error: FormError;
  readonly headers?: Readonly<Record<string, string>>;
}

const fresh: Refused = { status: 200, error: noError };

/** The pages around a session's beginning and end. */
export function createEntryPages(deps: PageDeps) {
  return {
    root: async (page: PageRequest) => {
      const { who, cookies } = await deps.calls.signedIn(page);
      const path = who === null ? `/signin${page.destination.search}` : "/account";
      return deps.answers.redirect(deps.config.baseUrl + path, cookies);
    },
    showSignIn: (page: PageRequest) => unlessSignedIn(deps, page, () => signInPage(deps, page, fresh)),
    showSignUp: (page: PageRequest) =>
      unlessSignedIn(
        deps,
        page,
        () => signUpPage(deps, page, fresh),
        (user) => invitedPage(deps, page, user),
      ),
    showForgotten: async (page: PageRequest) => forgottenPage(deps, page, fresh),
    sendRecovery: (page: PageRequest) => sendRecovery(deps, page),
    signIn: (page: PageRequest) => signIn(deps, page),
    signUp: (page: PageRequest) => signUp(deps, page),
    showSignOut: async (page: PageRequest) => {
      const { who, cookies } = await deps.calls.signedIn(page);
      if (who === null) return deps.answers.redirect(page.destination.url, cookies);
      return withCookies(signOutPage(deps, page, fresh, who.user), cookies);
    },
    signOut: (page: PageRequest) => signOut(deps, page),
  };
}

/**
 * Sends somebody signed in on at once where the session's cookie gets to; elsewhere a page says who is signed in, or an
 * application that never sees the cookie would send its visitor back for ever.
 * @param instead what somebody signed in is to see all the same; null for nothing.
 */
async function unlessSignedIn(
  deps: PageDeps,
  page: PageRequest,
  form: () => Response | Promise<Response>,
  instead: (user: PageUser) => Promise<Response | null> = async () => null,
): Promise<Response> {
  const { who, cookies } = await deps.calls.signedIn(page);
  if (who === null) return withCookies(await form(), cookies);
  const { destination } = page;
  const other = await instead(who.user);
  if (other !== null) return withCookies(other, cookies);
  if (cookieReaches(destination.url, deps.config)) return deps.answers.redirect(destination.url, cookies);
  const { site } = deps.answers;
  return withCookies(
    deps.answers.page(page, 200, <SignedInPage site={site} destination={destination} user={who.user} />),
    cookies,
  );
}

async function signIn(deps: PageDeps, page: PageRequest): Promise<Response> {
  const { texts, fields } = page;
  const { email = "", password = "", rememberMe, draft = "" } = fields;
  const { messages } = texts;
  const filling: Filling = {
    route: "signIn",
    body: { email, password, rememberMe: rememberMe === "true" },
    required: { email: messages.enterEmail, password: messages.enterPassword },
    names: deps.rules,
  };
  const missing = explainMissing({ ...filling, body: { email: email.trim(), password } }, texts);
  if (missing !== null) return signInPage(deps, page, { status: 400, error: missing });
  const outcome = await deps.calls.submit(page, filling.route, filling.body);
  if (outcome.ok) {
    const isKept = draft !== "" && [...draft].length <= nameMaxLength;
    const kept = isKept ? [deps.answers.notice("welcome-back", draft)] : [];
    return deps.answers.redirect(page.destination.url, [...outcome.cookies, ...kept]);
  }
  const { refusal } = outcome;
  if (refusal.code === "EMAIL_NOT_VERIFIED") return toVerify(deps, page, "not-verified", email.trim());
  return signInPage(deps, page, { ...refusal, error: explainAll(refusal, filling, texts) });
}

/** @param ended that the visitor's session has ended, and what they had typed by then. */
export function signInPage(
  { answers }: PageDeps,
  page: PageRequest,
  { status, error, headers = {} }: Refused,
  ended?: { readonly draft: string },
): Response {
  const { site } = answers;
  const { email = "", rememberMe, draft = "" } = page.fields;
  const { messages } = page.texts;
  const notice = answers.takeNotice(page.context.request.headers);
  const isKept = ended !== undefined && ended.draft !== "";
  const response = answers.page(
    page,
    status,
    <SignInPage
      site={site}
      destination={page.destination}
      notice={status === 200 ? noticeText(notice?.name, page.texts) : undefined}
      alert={ended && (isKept ? messages.sessionEndedKept : messages.sessionEnded)}
      error={error}
      email={email}
      rememberMe={status === 200 || ended !== undefined || rememberMe === "true"}
      draft={ended?.draft ?? draft}
    />,
    headers,
  );
  return withCookies(response, notice === null ? [] : [notice.cookie]);
}

function forgottenPage(
  { answers }: PageDeps,
  page: PageRequest,
  { status, error, headers }: Refused,
): Response {
  const { site } = answers;
  const { email = "" } = page.fields;
  return answers.page(
    page,
    status,
    <ForgotPasswordPage site={site} destination={page.destination} error={error} email={email} />,
    headers,
  );
}

/** Says the same of every address: it is not known yet whose it is. */
async function sendRecovery(deps: PageDeps, page: PageRequest): Promise<Response> {
  const { texts, fields, destination } = page;
  const { email = "" } = fields;
  const { field } = destination;
  const filling: Filling = {
    route: "requestPasswordReset",
    body: { email, ...(field === "" ? {} : { callbackUrl: field }) },
    required: { email: texts.messages.enterEmail },
    names: deps.rules,
  };
  const missing = explainMissing({ ...filling, body: { ...filling.body, email: email.trim() } }, texts);
  if (missing !== null) return forgottenPage(deps, page, { status: 400, error: missing });
  const outcome = await deps.calls.submit(page, filling.route, filling.body);
  if (!outcome.ok) {
    const error = explainAll(outcome.refusal, filling, texts);
    return forgottenPage(deps, page, { ...outcome.refusal, error });
  }
  const { answers, config } = deps;
  return answers.redirect(`${config.baseUrl}/signin${destination.search}`, [
    ...outcome.cookies,
    answers.notice("link-sent"),
  ]);
}

async function signUp(deps: PageDeps, page: PageRequest): Promise<Response> {
  const { texts } = page;
  const { messages } = texts;
  const { name = "", email = "", password = "", invitation } = page.fields;
  const filling: Filling = {
    route: "signUp",
    body: { name: name.trim(), email, password, ...(invitation === undefined ? {} : { invitation }) },
    required: {
      name: messages.enterName,
      email: messages.enterEmail,
      password: messages.choosePassword,
    },
    names: await rulesFor(deps, invitation),
  };
  const missing = explainMissing({ ...filling, body: { ...filling.body, email: email.trim() } }, texts);
  if (missing !== null) return await signUpPage(deps, page, { status: 400, error: missing });
  const outcome = await deps.calls.submit(page, filling.route, filling.body);
  if (outcome.ok && deps.config.emailVerification === "required")
    return toVerify(deps, page, "check-mail", email.trim());
  if (outcome.ok) {
    // Where another site takes over, the welcome is its own.
    const isOwn = page.destination.host === null;
    const welcome = isOwn ? [deps.answers.notice("welcome")] : [];
    return deps.answers.redirect(page.destination.url, [...outcome.cookies, ...welcome]);
  }
  const { refusal } = outcome;
  return await signUpPage(deps, page, { ...refusal, error: explainAll(refusal, filling, texts) });
}

/** To the page for a code: nobody is signed in before the address is confirmed. */
function toVerify({ answers, config }: PageDeps, page: PageRequest, notice: string, email: string): Response {
  return answers.redirect(`${config.baseUrl}/verify${page.destination.search}`, [
    answers.notice(notice, email),
  ]);
}

/** Whom an operator named needs no domain that is listed. */
async function rulesFor({ rules, findInvitation }: PageDeps, token: string | undefined): Promise<InputRules> {
  if (token === undefined || rules.signUpDomains.length === 0) return rules;
  const invitation = await findInvitation(token);
  return invitation === null || invitation.email === null ? rules : { ...rules, signUpDomains: [] };
}

/** What a sign-up brings; the token is empty for none, and `invitation` null where it does not count. */
async function invitationOf({ answers, findInvitation }: PageDeps, { fields, context }: PageRequest) {
  const token = fields["invitation"] ?? context.url?.searchParams.get("invitation") ?? "";
  const isNone = answers.site.signUp === "closed" || token === "";
  return { token, invitation: isNone ? null : await findInvitation(token) };
}

/** Of an invitation that counts; whoever has used theirs up goes on as without one. */
async function invitedPage(deps: PageDeps, page: PageRequest, user: PageUser): Promise<Response | null> {
  const { token, invitation } = await invitationOf(deps, page);
  if (invitation === null) return null;
  const { site } = deps.answers;
  return deps.answers.page(
    page,
    200,
    <SignedInInvitedPage site={site} destination={page.destination} user={user} invitation={token} />,
    withoutAddress,
  );
}

async function signUpPage(deps: PageDeps, page: PageRequest, refused: Refused): Promise<Response> {
  const { answers } = deps;
  const { site } = answers;
  const { destination, fields } = page;
  const { token, invitation } = await invitationOf(deps, page);
  if (site.signUp === "closed" || (site.signUp === "invited" && invitation === null))
    return answers.page(
      page,
      403,
      <SignUpClosedPage site={site} destination={destination} />,
      withoutAddress,
    );
  const { name = "", email = "" } = fields;
  return answers.page(
    page,
    refused.status,
    <SignUpPage
      site={site}
      destination={destination}
      error={refused.error}
      name={name}
      email={invitation?.email ?? email}
      invitation={invitation === null ? null : { token, isNamed: invitation.email !== null }}
    />,
    { ...refused.headers, ...(token === "" ? {} : withoutAddress) },
  );
}

async function signOut(deps: PageDeps, page: PageRequest): Promise<Response> {
  const outcome = await deps.calls.submit(page, "signOut", {});
  if (!outcome.ok) {
    const error = { fields: {}, form: page.texts.messages.stillSignedIn };
    return signOutPage(deps, page, { ...outcome.refusal, error }, null);
  }
  const { invitation } = page.fields;
  if (invitation !== undefined) {
    const query = new URLSearchParams({ invitation, ...withCallback(page) });
    return deps.answers.redirect(`${deps.config.baseUrl}/signup?${query}`, outcome.cookies);
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

function withCallback({ destination }: PageRequest): { readonly callbackUrl?: string } {
  return destination.field === "" ? {} : { callbackUrl: destination.field };
}

function signOutPage(
  { answers }: PageDeps,
  page: PageRequest,
  { status, error, headers }: Refused,
  user: PageUser | null,
): Response {
  return answers.page(
    page,
    status,
    <SignOutPage
      site={answers.site}
      destination={page.destination}
      error={error}
      user={user}
      toSignIn={page.fields["next"] === "signin"}
      invitation={page.fields["invitation"]}
    />,
    headers,
  );
}
