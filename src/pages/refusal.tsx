import type { AppError } from "../errors.ts";
import { FailurePage } from "./views/error-page.tsx";
import { explainStatus, type Refusal } from "./messages.ts";
import type { PageAnswers } from "./answer.ts";

/** An error as the pages' words take it. */
export function refusalOf(error: AppError): Refusal {
  const retryAfter = error.headers["Retry-After"];
  return {
    status: error.status,
    code: error.code,
    message: error.message,
    retryAfterSeconds: retryAfter !== undefined && /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) : null,
  };
}

/**
 * The page of an error that no form can show.
 * @param again the address, with its query, that a retry opens: absolute, on our own origin.
 */
export function failurePage(
  answers: PageAnswers,
  error: AppError,
  again: string,
  home: string,
  requestId: string,
): Response {
  const isGone = error.status === 404 || error.status === 405 || error.status === 400;
  return answers.page(
    error.status,
    <FailurePage
      site={answers.site}
      {...explainStatus(refusalOf(error))}
      action={isGone ? { label: "Go to your account", href: home } : { label: "Try again", href: again }}
      requestId={error.status >= 500 ? requestId : null}
    />,
    error.headers,
  );
}
