import { withDeadline } from "../deadline.ts";
import { storeUnavailable } from "../database/store-error.ts";
import { type AccountForm, AccountPage } from "./views/account-page.tsx";
import type { FormError } from "./views/form.tsx";
import type { SessionList } from "./views/session-list.tsx";
import { explainRefusal, type FormNames, noticeText } from "./messages.ts";
import type { AuthRouteName } from "../routes.ts";
import { withCookies } from "./answer.tsx";
import { missingFields, type PageDeps } from "./entry.tsx";
import type { PageRequest } from "./page-request.ts";

interface Refused {
  readonly form: AccountForm;
  readonly status: number;
  readonly error: FormError;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a form of the account page asks for. */
interface Action {
  readonly form: AccountForm;
  readonly route: AuthRouteName;
  readonly body: Record<string, unknown>;
  readonly names?: FormNames;
  /** What the next page says. */
  readonly notice: string;
  /** Default: the account page again. */
  readonly location?: string;
}

/** The account page and its forms. */
export function createAccountPages(deps: PageDeps) {
  return {
    show: (page: PageRequest) => accountPage(deps, page),
    toAccount: async () => deps.answers.redirect(`${deps.config.baseUrl}/account`),
    rename: (page: PageRequest) => rename(deps, page),
    changePassword: (page: PageRequest) => changePassword(deps, page),
    revoke: (page: PageRequest) =>
      act(deps, page, {
        form: "sessions",
        route: "revokeSession",
        body: { token: page.fields["id"] ?? "" },
        notice: "session",
      }),
    revokeOthers: (page: PageRequest) =>
      act(deps, page, { form: "sessions", route: "revokeOtherSessions", body: {}, notice: "sessions" }),
    remove: (page: PageRequest) => remove(deps, page),
  };
}

async function rename(deps: PageDeps, page: PageRequest): Promise<Response> {
  const name = (page.fields["name"] ?? "").trim();
  const missing = missingFields({ name: name === "" && "Enter your name." });
  if (missing !== null) return refuse(deps, page, "profile", missing);
  return act(deps, page, { form: "profile", route: "updateUser", body: { name }, notice: "name" });
}

async function changePassword(deps: PageDeps, page: PageRequest): Promise<Response> {
  const { currentPassword = "", newPassword = "", revokeOtherSessions } = page.fields;
  const missing = missingFields({
    currentPassword: currentPassword === "" && "Enter your current password.",
    newPassword: newPassword === "" && "Choose a new password.",
  });
  if (missing !== null) return refuse(deps, page, "password", missing);
  const everywhere = revokeOtherSessions === "true";
  return act(deps, page, {
    form: "password",
    route: "changePassword",
    body: { currentPassword, newPassword, revokeOtherSessions: everywhere },
    names: { password: "currentPassword", newPassword: "newPassword" },
    notice: everywhere ? "password-everywhere" : "password",
  });
}

async function remove(deps: PageDeps, page: PageRequest): Promise<Response> {
  const { password = "" } = page.fields;
  const missing = missingFields({ password: password === "" && "Enter your password." });
  if (missing !== null) return refuse(deps, page, "delete", missing);
  return act(deps, page, {
    form: "delete",
    route: "deleteUser",
    body: { password },
    notice: "account-deleted",
    location: "/signin",
  });
}

async function act(deps: PageDeps, page: PageRequest, action: Action): Promise<Response> {
  const { answers, calls, config } = deps;
  const outcome = await calls.submit(page, action.route, action.body);
  if (outcome.ok) {
    return answers.redirect(config.baseUrl + (action.location ?? "/account"), [
      ...outcome.cookies,
      answers.notice(action.notice),
    ]);
  }
  const { refusal } = outcome;
  // The page cannot be shown without the store either.
  if (refusal.status >= 500) return answers.error(refusal, page.context);
  const error = explainRefusal(refusal, action.names ?? {});
  return accountPage(deps, page, {
    form: action.form,
    status: refusal.status,
    error,
    headers: refusal.headers,
  });
}

const refuse = (deps: PageDeps, page: PageRequest, form: AccountForm, error: FormError) =>
  accountPage(deps, page, { form, status: 400, error, headers: {} });

async function accountPage(deps: PageDeps, page: PageRequest, refused?: Refused): Promise<Response> {
  const { answers, calls, config, now } = deps;
  const [{ who, cookies }, sessions] = await withDeadline(
    Promise.all([calls.signedIn(page), listSessions(deps, page)]),
    page.remainingMs(),
    () => storeUnavailable(new Error("the account page was not ready in time")),
  );
  if (who === null) return answers.redirect(`${config.baseUrl}/signin${ownCallback(deps)}`, cookies);
  const notice = refused === undefined ? answers.takeNotice(page.context.request.headers) : null;
  const response = answers.page(
    refused?.status ?? 200,
    <AccountPage
      site={answers.site}
      user={who.user}
      sessions={sessions}
      currentId={who.sessionId}
      now={now()}
      notice={noticeText(notice?.name)}
      {...(refused === undefined ? {} : { refused })}
      name={refused?.form === "profile" ? (page.fields["name"] ?? "") : who.user.name}
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

function ownCallback({ config }: PageDeps): string {
  return `?callbackUrl=${encodeURIComponent(`${config.baseUrl}/account`)}`;
}
