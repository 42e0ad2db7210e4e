import { explainAll, explainMissing, type Filling } from "./faults.ts";
import { type PageDeps, withoutAddress } from "./entry.tsx";
import type { PageRequest } from "./page-request.ts";
import { type FormError, noError } from "./views/form.tsx";
import { LinkEndedPage, RecoveryPage } from "./views/recovery-page.tsx";

export interface RecoveryPageDeps extends PageDeps {
  /** Whose link a token is of; null where it does not work. */
  readonly findRecovery: (token: unknown) => Promise<{ readonly email: string } | null>;
}

/** The page of a link for a new password. Opening it changes nothing: programs that look at mail open every link. */
export function createRecoveryPages(deps: RecoveryPageDeps) {
  return {
    show: (page: PageRequest) =>
      recoveryPage(deps, page, page.context.url?.searchParams.get("token") ?? "", {
        status: 200,
        error: noError,
      }),
    set: (page: PageRequest) => setPassword(deps, page),
  };
}

async function setPassword(deps: RecoveryPageDeps, page: PageRequest): Promise<Response> {
  const { texts, fields } = page;
  const { token = "", newPassword = "" } = fields;
  const filling: Filling = {
    route: "resetPassword",
    body: { token, newPassword },
    required: { newPassword: texts.messages.chooseNewPassword },
    names: { ...deps.rules, newPassword: "newPassword" },
  };
  const missing = explainMissing(filling, texts);
  if (missing !== null) return await recoveryPage(deps, page, token, { status: 400, error: missing });
  const outcome = await deps.calls.submit(page, filling.route, filling.body);
  const { answers, config } = deps;
  if (outcome.ok)
    return answers.redirect(`${config.baseUrl}/signin${page.destination.search}`, [
      ...outcome.cookies,
      answers.notice("recovered"),
    ]);
  const { refusal } = outcome;
  if (refusal.code === "INVALID_RECOVERY_TOKEN") return endedPage(deps, page);
  // Nothing is told of the link then.
  if (refusal.status !== 400) return answers.error(refusal, page.context);
  const error = explainAll(refusal, filling, texts);
  return await recoveryPage(deps, page, token, { ...refusal, error });
}

interface Shown {
  readonly status: number;
  readonly error: FormError;
  readonly headers?: Readonly<Record<string, string>>;
}

async function recoveryPage(
  deps: RecoveryPageDeps,
  page: PageRequest,
  token: string,
  { status, error, headers }: Shown,
): Promise<Response> {
  const found = await deps.findRecovery(token);
  if (found === null) return endedPage(deps, page);
  const { site } = deps.answers;
  return deps.answers.page(
    page,
    status,
    <RecoveryPage
      site={site}
      destination={page.destination}
      token={token}
      email={found.email}
      error={error}
    />,
    { ...headers, ...withoutAddress },
  );
}

function endedPage({ answers }: RecoveryPageDeps, page: PageRequest): Response {
  const { site } = answers;
  return answers.page(
    page,
    400,
    <LinkEndedPage site={site} destination={page.destination} />,
    withoutAddress,
  );
}
