import type { Config } from "../config/config.ts";
import type { AppError } from "../errors.ts";
import type { CallAuth } from "../http/auth.ts";
import type { CallbackRules } from "../http/callback-url.ts";
import { methodNotAllowed, notFound } from "../http/error-response.ts";
import type { RequestContext } from "../http/request.ts";
import type { LogFailure } from "../http/failure-log.ts";
import type { RouteWith } from "../routes.ts";
import type { ReadSession } from "../session/get-session.ts";
import { createAccountPages } from "./account.tsx";
import { createPageAnswers } from "./answer.tsx";
import { createPageCalls } from "./calls.ts";
import { createEntryPages, type PageHandler } from "./entry.tsx";
import { createPageRequestReader } from "./page-request.ts";

export interface PagesDeps {
  readonly config: Config;
  readonly logFailure: LogFailure;
  readonly call: CallAuth;
  readonly readSession: ReadSession;
  readonly callbackRules: CallbackRules;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

export interface Pages {
  /** By route. A handler throws what `error` then shows. */
  readonly handlers: Readonly<
    Record<RouteWith<{ kind: "pages" }>, (context: RequestContext) => Promise<Response>>
  >;
  /** An error as a page. */
  error(error: AppError, context: RequestContext): Response;
}

/** Builds the hosted pages: plain forms, whose work BetterAuth does by the API's own way. */
export function createPages(deps: PagesDeps): Pages {
  const { config } = deps;
  const answers = createPageAnswers(config);
  const calls = createPageCalls(deps.call, deps.readSession, deps.logFailure);
  const readRequest = createPageRequestReader(deps.callbackRules, deps.now);
  const entry = createEntryPages({ config, answers, calls, now: deps.now });
  const account = createAccountPages({ config, answers, calls, now: deps.now });
  const on = (get: PageHandler, post?: PageHandler) => async (context: RequestContext) => {
    const handle = context.request.method === "POST" ? post : get;
    if (handle === undefined) throw methodNotAllowed(["GET", "HEAD"]);
    return handle(await readRequest(context));
  };
  // Opening a form's address, after it was refused there, opens the page it stands on.
  const form = (post: PageHandler) => on(account.toAccount, post);
  return {
    handlers: {
      root: on(entry.root),
      signInPage: on(entry.showSignIn, entry.signIn),
      signUpPage: on(entry.showSignUp, entry.signUp),
      signOutPage: on(entry.showSignOut, entry.signOut),
      accountPage: on(account.show),
      profileForm: form(account.rename),
      passwordForm: form(account.changePassword),
      revocationForm: form(account.revoke),
      revocationsForm: form(account.revokeOthers),
      deletionForm: form(account.remove),
      async asset({ path }) {
        const asset = answers.asset(path);
        if (asset === null) throw notFound();
        return asset;
      },
    },
    error: answers.error,
  };
}
