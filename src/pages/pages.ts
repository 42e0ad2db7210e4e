import type { Config } from "../config/load.ts";
import type { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { ReadSession } from "../session/get-session.ts";
import type { CallAuth, RequestFacts } from "../http/auth.ts";
import { methodNotAllowed, notFound } from "../http/error-response.ts";
import { createAccountPages } from "./account.tsx";
import { createPageAnswers } from "./answer.ts";
import { createEntryPages, type PageHandler } from "./entry.tsx";
import { failurePage } from "./refusal.tsx";
import { createPageCalls } from "./calls.ts";
import { createVisitReader } from "./page-request.ts";
import { canonicalPath } from "../http/routes.ts";

export interface PagesDeps {
  readonly config: Config;
  readonly log: Log;
  readonly call: CallAuth;
  readonly readSession: ReadSession;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

export interface Pages {
  /** Answers one of the pages' routes, CONTRACT 2.5 included. @throws what `failure` then shows. */
  respond(request: Request, facts: RequestFacts): Promise<Response>;
  /** An error as a page. */
  failure(request: Request, error: AppError, requestId: string): Response;
}

/** Builds the hosted pages: plain forms, whose work BetterAuth does by the API's own way. */
export function createPages(deps: PagesDeps): Pages {
  const { config, log } = deps;
  const answers = createPageAnswers(config);
  const calls = createPageCalls(deps.call, deps.readSession, ({ code, cause }, { facts }) =>
    log.error({ requestId: facts.requestId, code, cause }, "request failed"),
  );
  const readVisit = createVisitReader(config, deps.now);
  const handlers = handlersOf({ config, answers, calls, now: deps.now });
  return {
    async respond(request, facts) {
      const path = canonicalPath(new URL(request.url).pathname);
      if (path.startsWith("/assets/")) {
        const asset = answers.asset(path);
        if (asset === null) throw notFound();
        return asset;
      }
      const handler = handlers.get(path);
      if (handler === undefined) throw notFound();
      const handle = request.method === "POST" ? handler.post : handler.get;
      if (handle === undefined) throw methodNotAllowed("GET, HEAD");
      return handle(await readVisit(request, facts));
    },
    failure(request, error, requestId) {
      const url = new URL(request.url);
      const again = config.baseUrl + url.pathname + (request.method === "POST" ? "" : url.search);
      return failurePage(answers, error, again, `${config.baseUrl}/account`, requestId);
    },
  };
}

interface Methods {
  readonly get: PageHandler;
  readonly post?: PageHandler;
}

function handlersOf(deps: Parameters<typeof createEntryPages>[0]): ReadonlyMap<string, Methods> {
  const entry = createEntryPages(deps);
  const account = createAccountPages(deps);
  // Opening a form's address, after it was refused there, opens the page it stands on.
  const form = (post: PageHandler): Methods => ({ get: account.toAccount, post });
  return new Map<string, Methods>([
    ["/", { get: entry.root }],
    ["/signin", { get: entry.showSignIn, post: entry.signIn }],
    ["/signup", { get: entry.showSignUp, post: entry.signUp }],
    ["/signout", { get: entry.showSignOut, post: entry.signOut }],
    ["/account", { get: account.show }],
    ["/account/profile", form(account.rename)],
    ["/account/password", form(account.changePassword)],
    ["/account/sessions/revoke", form(account.revoke)],
    ["/account/sessions/revoke-others", form(account.revokeOthers)],
    ["/account/delete", form(account.remove)],
  ]);
}
