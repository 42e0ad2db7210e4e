import { withDeadline } from "../deadline.ts";
import { storeUnavailable } from "../database/store-error.ts";
import { AppError } from "../errors.ts";
import { type AccountForm, AccountPage } from "./views/account-page.tsx";
import type { FormError } from "./views/form.tsx";
import type { ListedSession } from "./views/session-list.tsx";
import { explainRefusal, type FormNames, noticeText } from "./messages.ts";
import { missingFields, type PageDeps, withCookies } from "./entry.tsx";
import { refusalOf } from "./refusal.tsx";
import type { Visit } from "./page-request.ts";

interface Refused {
  readonly form: AccountForm;
  readonly status: number;
  readonly error: FormError;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a form of the account page asks for. */
interface Action {
  readonly form: AccountForm;
  readonly path: string;
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
    show: (visit: Visit) => accountPage(deps, visit),
    toAccount: async () => deps.answers.redirect(`${deps.config.baseUrl}/account`),
    rename: (visit: Visit) => rename(deps, visit),
    changePassword: (visit: Visit) => changePassword(deps, visit),
    revoke: (visit: Visit) =>
      act(deps, visit, {
        form: "sessions",
        path: "/revoke-session",
        body: { token: visit.fields["id"] ?? "" },
        notice: "session",
      }),
    revokeOthers: (visit: Visit) =>
      act(deps, visit, { form: "sessions", path: "/revoke-other-sessions", body: {}, notice: "sessions" }),
    remove: (visit: Visit) => remove(deps, visit),
  };
}

async function rename(deps: PageDeps, visit: Visit): Promise<Response> {
  const name = (visit.fields["name"] ?? "").trim();
  const missing = missingFields({ name: name === "" && "Enter your name." });
  if (missing !== null) return refuse(deps, visit, "profile", missing);
  return act(deps, visit, { form: "profile", path: "/update-user", body: { name }, notice: "name" });
}

async function changePassword(deps: PageDeps, visit: Visit): Promise<Response> {
  const { currentPassword = "", newPassword = "", revokeOtherSessions } = visit.fields;
  const missing = missingFields({
    currentPassword: currentPassword === "" && "Enter your current password.",
    newPassword: newPassword === "" && "Choose a new password.",
  });
  if (missing !== null) return refuse(deps, visit, "password", missing);
  const everywhere = revokeOtherSessions === "true";
  return act(deps, visit, {
    form: "password",
    path: "/change-password",
    body: { currentPassword, newPassword, revokeOtherSessions: everywhere },
    names: { password: "currentPassword", newPassword: "newPassword" },
    notice: everywhere ? "password-everywhere" : "password",
  });
}

async function remove(deps: PageDeps, visit: Visit): Promise<Response> {
  const { password = "" } = visit.fields;
  const missing = missingFields({ password: password === "" && "Enter your password." });
  if (missing !== null) return refuse(deps, visit, "delete", missing);
  return act(deps, visit, {
    form: "delete",
    path: "/delete-user",
    body: { password },
    notice: "account-deleted",
    location: "/signin",
  });
}

async function act(deps: PageDeps, visit: Visit, action: Action): Promise<Response> {
  const { answers, calls, config } = deps;
  const outcome = await calls.submit(visit, action.path, action.body);
  if (outcome.ok) {
    return answers.redirect(config.baseUrl + (action.location ?? "/account"), [
      ...outcome.cookies,
      answers.notice(action.notice),
    ]);
  }
  const { refusal } = outcome;
  // The page cannot be shown without the store either.
  if (refusal.status >= 500) throw refusal;
  const error = explainRefusal(refusalOf(refusal), action.names ?? {});
  return accountPage(deps, visit, {
    form: action.form,
    status: refusal.status,
    error,
    headers: refusal.headers,
  });
}

const refuse = (deps: PageDeps, visit: Visit, form: AccountForm, error: FormError) =>
  accountPage(deps, visit, { form, status: 400, error, headers: {} });

async function accountPage(deps: PageDeps, visit: Visit, refused?: Refused): Promise<Response> {
  const { answers, calls, config, now } = deps;
  const [{ who, cookies }, sessions] = await withDeadline(
    Promise.all([calls.signedIn(visit), listSessions(deps, visit)]),
    visit.remainingMs(),
    () => storeUnavailable(new Error("the account page was not ready in time")),
  );
  if (who === null) return answers.redirect(`${config.baseUrl}/signin${ownCallback(deps)}`, cookies);
  const notice = refused === undefined ? answers.takeNotice(visit.headers) : null;
  const page = answers.page(
    refused?.status ?? 200,
    <AccountPage
      site={answers.site}
      user={who.user}
      sessions={sessions}
      currentId={who.sessionId}
      now={now()}
      notice={noticeText(notice?.name)}
      {...(refused === undefined ? {} : { refused })}
      name={refused?.form === "profile" ? (visit.fields["name"] ?? "") : who.user.name}
      revokeOthers={refused?.form !== "password" || visit.fields["revokeOtherSessions"] === "true"}
    />,
    refused?.headers ?? {},
  );
  return withCookies(page, notice === null ? cookies : [...cookies, notice.cookie]);
}

/** None for somebody who is not signed in. */
async function listSessions({ calls }: PageDeps, visit: Visit): Promise<readonly ListedSession[]> {
  if (!visit.headers.has("cookie")) return [];
  try {
    return (await calls.read(visit, "/list-sessions")) as ListedSession[];
  } catch (error) {
    if (error instanceof AppError && error.status === 401) return [];
    throw error;
  }
}

function ownCallback({ config }: PageDeps): string {
  return `?callbackUrl=${encodeURIComponent(`${config.baseUrl}/account`)}`;
}
