import { withDeadline } from "../deadline.ts";
import { storeUnavailable } from "../database/store-error.ts";
import { type AccountForm, AccountDeletedPage, AccountPage } from "./views/account-page.tsx";
import { type FormError, noError } from "./views/form.tsx";
import type { SessionList } from "./views/session-list.tsx";
import { type FormNames, noticeText } from "./refusals.ts";
import { withCookies } from "./answer.tsx";
import { type PageDeps, signInPage } from "./entry.tsx";
import { explainAll, explainMissing, type Filling } from "./faults.ts";
import type { PageRequest } from "./page-request.ts";

interface Refused {
  readonly form: AccountForm;
  readonly status: number;
  readonly error: FormError;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a form of the account page asks for. */
interface Action extends Filling {
  readonly form: AccountForm;
  /** What the next page says; null where it says it by itself. */
  readonly notice: string | null;
  /** Default: the account page again. */
  readonly path?: string;
}

const deletedPath = "/account/deleted";

/** The account page and its forms. */
export function createAccountPages(deps: PageDeps) {
  const { config, answers } = deps;
  const names: FormNames = deps.rules;
  return {
    show: (page: PageRequest) => accountPage(deps, page),
    toAccount: async (page: PageRequest) =>
      answers.redirect(`${config.baseUrl}/account${page.destination.search}`),
    rename: (page: PageRequest) =>
      act(deps, page, {
        form: "profile",
        route: "updateUser",
        body: { name: (page.fields["name"] ?? "").trim() },
        required: { name: page.texts.messages.enterName },
        names,
        notice: "name",
      }),
    changePassword: (page: PageRequest) => changePassword(deps, page),
    changeEmail: (page: PageRequest) =>
      act(deps, page, {
        form: "email",
        route: "changeEmail",
        body: { newEmail: (page.fields["email"] ?? "").trim() },
        required: { newEmail: page.texts.messages.enterEmail },
        names,
        notice: "email-asked",
      }),
    revoke: (page: PageRequest) =>
      act(deps, page, {
        form: "sessions",
        route: "revokeSession",
        body: { token: page.fields["id"] ?? "" },
        required: {},
        names,
        notice: "session",
      }),
    revokeOthers: (page: PageRequest) =>
      act(deps, page, {
        form: "sessions",
        route: "revokeOtherSessions",
        body: {},
        required: {},
        names,
        notice: "sessions",
      }),
    remove: (page: PageRequest) =>
      act(deps, page, {
        form: "delete",
        route: "deleteUser",
        body: { password: page.fields["password"] ?? "" },
        required: { password: page.texts.messages.enterPassword },
        names,
        notice: null,
        path: deletedPath,
      }),
    showDeleted: async (page: PageRequest) =>
      answers.page(page, 200, <AccountDeletedPage site={answers.site} destination={page.destination} />),
  };
}

function changePassword(deps: PageDeps, page: PageRequest): Promise<Response> {
  const { currentPassword = "", newPassword = "", revokeOtherSessions } = page.fields;
  const { messages } = page.texts;
  const everywhere = revokeOtherSessions === "true";
  return act(deps, page, {
    form: "password",
    route: "changePassword",
    body: { currentPassword, newPassword, revokeOtherSessions: everywhere },
    required: {
      currentPassword: messages.enterCurrentPassword,
      newPassword: messages.chooseNewPassword,
    },
    names: { ...deps.rules, password: "currentPassword", newPassword: "newPassword" },
    notice: everywhere ? "password-everywhere" : "password",
  });
}

async function act(deps: PageDeps, page: PageRequest, action: Action): Promise<Response> {
  const { answers, calls, config } = deps;
  const { form } = action;
  const missing = explainMissing(action, page.texts);
  if (missing !== null) return accountPage(deps, page, { form, status: 400, error: missing, headers: {} });
  const outcome = await calls.submit(page, action.route, action.body);
  if (outcome.ok) {
    const location = config.baseUrl + (action.path ?? "/account") + page.destination.search;
    const notice = action.notice === null ? [] : [answers.notice(action.notice)];
    return answers.redirect(location, [...outcome.cookies, ...notice]);
  }
  const { refusal } = outcome;
  // The page cannot be shown without the store either.
  if (refusal.status >= 500) return answers.error(refusal, page.context);
  const error = explainAll(refusal, action, page.texts);
  return accountPage(deps, page, { form, status: refusal.status, error, headers: refusal.headers });
}

async function accountPage(deps: PageDeps, page: PageRequest, refused?: Refused): Promise<Response> {
  const { answers, calls, config, now } = deps;
  const { destination, texts } = page;
  const [{ who, cookies }, sessions] = await withDeadline(
    Promise.all([calls.signedIn(page), listSessions(deps, page)]),
    page.remainingMs(),
    () => storeUnavailable(new Error("the account page was not ready in time")),
  );
  if (who === null) {
    const url = `${config.baseUrl}/account${destination.search}`;
    const search = `?callbackUrl=${encodeURIComponent(url)}`;
    if (page.context.request.method !== "POST")
      return answers.redirect(`${config.baseUrl}/signin${search}`, cookies);
    // What was typed is kept, but no password.
    const draft = refused?.form === "profile" ? (page.fields["name"] ?? "") : "";
    const toAccount = { ...page, fields: {}, destination: { url, host: null, field: url, search } };
    return withCookies(signInPage(deps, toAccount, { status: 401, error: noError }, { draft }), cookies);
  }
  const notice = refused === undefined ? answers.takeNotice(page.context.request.headers) : null;
  const draft = refused?.form === "profile" ? page.fields["name"] : notice?.value;
  const response = answers.page(
    page,
    refused?.status ?? 200,
    <AccountPage
      site={answers.site}
      user={who.user}
      destination={destination}
      sessions={sessions}
      currentId={who.sessionId}
      now={now()}
      notice={noticeText(notice?.name, texts)}
      {...(refused === undefined ? {} : { refused })}
      name={draft ?? who.user.name}
      revokeOthers={refused?.form !== "password" || page.fields["revokeOtherSessions"] === "true"}
    />,
    refused?.headers ?? {},
  );
  return withCookies(response, notice === null ? cookies : [...cookies, notice.cookie]);
}

/** None for somebody who is not signed in. */
async function listSessions({ calls }: PageDeps, page: PageRequest): Promise<SessionList> {
  if (!page.context.request.headers.has("cookie")) return { listed: [], total: 0 };
  return (await calls.sessions(page)) as SessionList;
}
