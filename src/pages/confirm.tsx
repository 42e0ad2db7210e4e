import type { MailLinks } from "../auth/mail-links.ts";
import { withCookies } from "./answer.tsx";
import { type PageDeps, withoutAddress } from "./entry.tsx";
import { explainAll, explainMissing, type Filling } from "./faults.ts";
import type { PageRequest } from "./page-request.ts";
import { noticeText } from "./refusals.ts";
import { ConfirmPage, VerifyPage } from "./views/confirm-page.tsx";
import { type FormError, noError } from "./views/form.tsx";
import { LinkEndedPage } from "./views/recovery-page.tsx";

export interface ConfirmPageDeps extends PageDeps {
  readonly findLink: MailLinks["find"];
}

/** The pages of mailed links and codes. Opening a link changes nothing. */
export function createConfirmPages(deps: ConfirmPageDeps) {
  const tokenOf = ({ context }: PageRequest) => context.url?.searchParams.get("token") ?? "";
  return {
    showLink: (page: PageRequest) => linkPage(deps, page, tokenOf(page), 200, noError),
    useLink: (page: PageRequest) => useLink(deps, page),
    showCode: async (page: PageRequest) => codePage(deps, page, { status: 200, error: noError }),
    useCode: (page: PageRequest) => useCode(deps, page),
  };
}

async function linkPage(
  deps: ConfirmPageDeps,
  page: PageRequest,
  token: string,
  status: number,
  error: FormError,
): Promise<Response> {
  const { site, page: answer } = deps.answers;
  const link = await deps.findLink(token);
  const { destination } = page;
  const shown =
    link === null ? (
      <LinkEndedPage site={site} destination={destination} />
    ) : (
      <ConfirmPage site={site} destination={destination} token={token} link={link} error={error} />
    );
  return answer(page, link === null ? 400 : status, shown, withoutAddress);
}

const noticeOf = { verification: "verified", email_change: "email-changed", email_undo: "email-restored" };

async function useLink(deps: ConfirmPageDeps, page: PageRequest): Promise<Response> {
  const { answers, config, calls } = deps;
  const { token = "" } = page.fields;
  const link = await deps.findLink(token);
  const outcome = await calls.submit(page, "confirm", { token });
  if (outcome.ok && link !== null)
    return answers.redirect(`${config.baseUrl}/signin${page.destination.search}`, [
      ...outcome.cookies,
      answers.notice(noticeOf[link.purpose]),
    ]);
  if (outcome.ok || outcome.refusal.code === "INVALID_LINK")
    return await linkPage({ ...deps, findLink: async () => null }, page, token, 400, noError);
  const { refusal } = outcome;
  if (refusal.status !== 400) return answers.error(refusal, page.context);
  return await linkPage(deps, page, token, 400, { fields: {}, form: page.texts.messages.addressTaken });
}

interface Shown {
  readonly status: number;
  readonly error: FormError;
  readonly headers?: Readonly<Record<string, string>>;
}

function codePage(
  { answers }: ConfirmPageDeps,
  page: PageRequest,
  { status, error, headers = {} }: Shown,
): Response {
  const notice =
    page.context.request.method === "POST" ? null : answers.takeNotice(page.context.request.headers);
  const shown = (
    <VerifyPage
      site={answers.site}
      destination={page.destination}
      email={page.fields["email"] ?? notice?.value ?? ""}
      error={error}
      notice={noticeText(notice?.name, page.texts)}
    />
  );
  return withCookies(answers.page(page, status, shown, headers), notice === null ? [] : [notice.cookie]);
}

async function useCode(deps: ConfirmPageDeps, page: PageRequest): Promise<Response> {
  const { answers, config, calls } = deps;
  const { texts, fields, destination } = page;
  const { email = "", code = "", again } = fields;
  const { field } = destination;
  const { messages } = texts;
  const filling: Filling =
    again === undefined
      ? {
          route: "verifyEmailCode",
          body: { email, code },
          required: { email: messages.enterEmail, code: messages.enterCode },
          names: deps.rules,
        }
      : {
          route: "sendVerificationEmail",
          body: { email, ...(field === "" ? {} : { callbackURL: field }) },
          required: { email: messages.enterEmail },
          names: deps.rules,
        };
  const missing = explainMissing({ ...filling, body: { ...filling.body, email: email.trim() } }, texts);
  if (missing !== null) return codePage(deps, page, { status: 400, error: missing });
  const outcome = await calls.submit(page, filling.route, filling.body);
  if (!outcome.ok) {
    const error = explainAll(outcome.refusal, filling, texts);
    return codePage(deps, page, { ...outcome.refusal, error });
  }
  const path = again === undefined ? "/signin" : "/verify";
  const notice = again === undefined ? answers.notice("verified") : answers.notice("code-sent", email.trim());
  return answers.redirect(config.baseUrl + path + destination.search, [...outcome.cookies, notice]);
}
