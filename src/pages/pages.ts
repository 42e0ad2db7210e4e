import type { InputRules } from "../auth/input.ts";
import type { Config } from "../config/config.ts";
import { isLoopbackHost } from "../config/listen.ts";
import { isLoopbackOrigin } from "../config/origin.ts";
import type { CallAuth } from "../http/auth.ts";
import type { CallbackRules } from "../http/callback-url.ts";
import { methodNotAllowed, notFound } from "../http/error-response.ts";
import type { ReadBody } from "../http/body.ts";
import type { RequestContext } from "../http/request.ts";
import type { LogFailure } from "../http/failure-log.ts";
import type { LogRefusal } from "../http/refusal-log.ts";
import type { RouteWith } from "../routes.ts";
import type { ReadSession } from "../session/get-session.ts";
import { createAccountPages } from "./account.tsx";
import { createPageAnswers, type PageAnswers, withCookies } from "./answer.tsx";
import { createPageCalls, refusalIn } from "./calls.ts";
import { type ConfirmPageDeps, createConfirmPages } from "./confirm.tsx";
import { createEntryPages, type PageHandler } from "./entry.tsx";
import { createPageRequestReader } from "./page-request.ts";
import { createRecoveryPages, type RecoveryPageDeps } from "./recovery.tsx";

export interface PagesDeps
  extends Pick<RecoveryPageDeps, "findRecovery" | "findInvitation">,
    Pick<ConfirmPageDeps, "findLink"> {
  readonly config: Config;
  readonly rules: InputRules;
  readonly logFailure: LogFailure;
  readonly logRefusal: LogRefusal;
  readonly readBody: ReadBody;
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
  readonly error: PageAnswers["error"];
  readonly errorElsewhere: PageAnswers["errorElsewhere"];
  /** BetterAuth's refusal as a page. */
  refusal(answer: Response, context: RequestContext): Promise<Response>;
}

/**
 * Where a page is that was opened under another name of this machine, where it has neither the cookie nor forms that are
 * accepted: `127.0.0.1` instead of `localhost`. Null where it is right.
 */
function otherLoopbackName({ request, url }: RequestContext, baseUrl: string): string | null {
  if (url === null || request.method === "POST" || url.origin === baseUrl) return null;
  const base = new URL(baseUrl);
  const isOther = url.port === base.port && url.hostname !== base.hostname;
  if (!isOther || !isLoopbackOrigin(baseUrl) || !isLoopbackHost(url.hostname)) return null;
  return baseUrl + url.pathname + url.search;
}

/** Builds the hosted pages: plain forms, whose work BetterAuth does by the API's own way. */
export function createPages(deps: PagesDeps): Pages {
  const { config } = deps;
  const answers = createPageAnswers(config);
  const calls = createPageCalls(deps.call, deps.readSession, deps.logFailure);
  const readRequest = createPageRequestReader(deps);
  const pageDeps = { ...deps, answers, calls };
  const entry = createEntryPages(pageDeps);
  const account = createAccountPages(pageDeps);
  const recovery = createRecoveryPages(pageDeps);
  const confirm = createConfirmPages(pageDeps);
  const on = (get: PageHandler, post?: PageHandler) => async (context: RequestContext) => {
    const handle = context.request.method === "POST" ? post : get;
    if (handle === undefined) throw methodNotAllowed(["GET", "HEAD"]);
    const elsewhere = otherLoopbackName(context, config.baseUrl);
    if (elsewhere !== null) return answers.redirect(elsewhere);
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
      forgottenPage: on(entry.showForgotten, entry.sendRecovery),
      recoveryPage: on(recovery.show, recovery.set),
      confirmPage: on(confirm.showLink, confirm.useLink),
      verifyPage: on(confirm.showCode, confirm.useCode),
      emailForm: form(account.changeEmail),
      accountPage: on(account.show),
      profileForm: form(account.rename),
      passwordForm: form(account.changePassword),
      revocationForm: form(account.revoke),
      revocationsForm: form(account.revokeOthers),
      deletionForm: form(account.remove),
      deletedPage: on(account.showDeleted),
      async asset({ path }) {
        const asset = answers.asset(path);
        if (asset === null) throw notFound();
        return asset;
      },
    },
    error: answers.error,
    errorElsewhere: answers.errorElsewhere,
    refusal: async (answer, context) =>
      withCookies(answers.error(await refusalIn(answer), context), answer.headers.getSetCookie()),
  };
}
