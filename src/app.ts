import { cors } from "@elysiajs/cors";
import { Elysia } from "elysia";
import type { Handle } from "./auth/handle.ts";
import type { InputRules } from "./auth/input.ts";
import type { Invitations } from "./auth/invitation.ts";
import type { MailLinks } from "./auth/mail-links.ts";
import type { Recovery } from "./auth/recovery.ts";
import type { Config } from "./config/config.ts";
import { AppError } from "./errors.ts";
import {
  type AuthOutcome,
  createAuthCall,
  createAuthHandler,
  type DescribeEmail,
  sessionOrNobody,
} from "./http/auth.ts";
import { createBodyReader } from "./http/body.ts";
import { createCallbackRules } from "./http/callback-url.ts";
import { errorResponse, methodNotAllowed, notFound, publicError } from "./http/error-response.ts";
import { createFailureLog } from "./http/failure-log.ts";
import type { Respond } from "./http/fast-path.ts";
import { createForwardAnswer } from "./http/forward.ts";
import { live } from "./http/health.ts";
import { createOpenApiAnswer } from "./http/openapi.ts";
import { dropCors, dropUngrantedCors, requireAllowedOrigin } from "./http/origins.ts";
import {
  createRequestDescription,
  isHost,
  opensPage,
  type RequestContext,
  requireUniqueParameters,
} from "./http/request.ts";
import { createPace } from "./http/pace.ts";
import { createRecoveryLink } from "./http/recovery-link.ts";
import { createRefusalLog, type LogRefusal } from "./http/refusal-log.ts";
import { verifyVary } from "./http/verify.ts";
import type { Shared } from "./front.ts";
import type { Log } from "./log.ts";
import { createPages, type Pages } from "./pages/pages.ts";
import { isPagePath, methodsOf, type RouteName } from "./routes.ts";
import type { ReadSession } from "./session/get-session.ts";

export interface AppDeps extends Shared {
  readonly config: Config;
  readonly version: string;
  readonly log: Log;
  /** Hands a request to BetterAuth. */
  readonly handle: Handle;
  /** Of what people send, for the pages to name every fault at once. */
  readonly rules: InputRules;
  readonly describeEmail: DescribeEmail;
  readonly findRecovery: Recovery["find"];
  readonly findLink: MailLinks["find"];
  readonly findInvitation: Invitations["find"];
  readonly readSession: ReadSession;
  readonly health: () => Promise<Response>;
  /** Hears what came of sign-ins and the like, where somebody counts. */
  readonly onOutcome?: ((outcome: AuthOutcome) => void) | undefined;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

type Handler = (context: RequestContext) => Response | Promise<Response>;

/** Puts the routes of `routes.ts` together with what answers them. */
export function createApp(deps: AppDeps): Respond {
  const { config, log, readSession, answerVerify } = deps;
  const callbackRules = createCallbackRules(config);
  const pace = createPace(() => performance.now(), Bun.sleep);
  const readBody = createBodyReader(pace);
  const call = createAuthCall({ ...deps, log, pace });
  const auth = createAuthHandler(call, readSession, readBody);
  const logFailure = createFailureLog(log);
  const logRefusal = createRefusalLog(log, deps.now);
  const pages = createPages({ ...deps, call, callbackRules, logFailure, logRefusal, readBody });
  const openApi = createOpenApiAnswer(config, deps.version);
  const handlers: Readonly<Record<RouteName, Handler>> = {
    signUp: (context) => auth("signUp", context),
    signIn: (context) => auth("signIn", context),
    signOut: (context) => auth("signOut", context),
    getSession: (context) => auth("getSession", context),
    session: async (context) => sessionOrNobody(await auth("getSession", context)),
    listSessions: (context) => auth("listSessions", context),
    revokeSession: (context) => auth("revokeSession", context),
    revokeSessions: (context) => auth("revokeSessions", context),
    revokeOtherSessions: (context) => auth("revokeOtherSessions", context),
    changePassword: (context) => auth("changePassword", context),
    requestPasswordReset: (context) => auth("requestPasswordReset", context),
    sendVerificationEmail: (context) => auth("sendVerificationEmail", context),
    verifyEmail: (context) => auth("verifyEmail", context),
    confirm: (context) => auth("confirm", context),
    verifyEmailCode: (context) => auth("verifyEmailCode", context),
    changeEmail: (context) => auth("changeEmail", context),
    recoveryLink: createRecoveryLink(callbackRules, deps.findRecovery),
    resetPassword: (context) => auth("resetPassword", context),
    updateUser: (context) => auth("updateUser", context),
    deleteUser: (context) => auth("deleteUser", context),
    verify: ({ request, requestId }) => answerVerify(request, requestId),
    forward: createForwardAnswer({
      answerVerify,
      rules: callbackRules,
      logRefusal,
      errorPage: pages.errorElsewhere,
    }),
    ...pages.handlers,
    openApi,
    health: deps.health,
    live: () => live(deps.version),
  };
  const fail = (error: unknown, context: RequestContext): Response => {
    const shown = publicError(error);
    if (shown.status >= 500) logFailure(shown, context);
    return isReadByPeople(context) ? pages.error(shown, context) : errorResponse(shown);
  };
  return createRespond({
    describe: createRequestDescription(config.trustedProxies, deps.requestIds.next),
    allowed: callbackRules.allowedOrigins,
    handlers,
    fail,
    refuse: pages.refusal,
    finish: createFinish(deps.fixedHeaders),
    logRefusal,
  });
}

interface Pipeline {
  readonly describe: ReturnType<typeof createRequestDescription>;
  readonly allowed: ReadonlySet<string>;
  readonly handlers: Readonly<Record<RouteName, Handler>>;
  readonly fail: (error: unknown, context: RequestContext) => Response;
  /** A refusal of BetterAuth's for somebody who looks at it. */
  readonly refuse: Pages["refusal"];
  readonly finish: (context: RequestContext, response: Response) => Response;
  readonly logRefusal: LogRefusal;
}

/** What every request goes through but those of the fast path: CORS, what is refused unseen, the route's handler. */
function createRespond({ describe, allowed, handlers, fail, refuse, finish, logRefusal }: Pipeline): Respond {
  const contexts = new WeakMap<Request, RequestContext>();
  const contextOf = (request: Request): RequestContext =>
    contexts.get(request) ?? describe(request, { requestIP: () => null });
  const elysia = new Elysia({ normalize: false, handler: { standardHostname: false } })
    .onError(({ error, code, request }) =>
      fail(code === "NOT_FOUND" ? notFound() : error, contextOf(request)),
    )
    .use(
      cors({
        origin: (request) => allowed.has(request.headers.get("origin") ?? ""),
        credentials: true,
        methods: ["GET", "POST", "OPTIONS"],
        allowedHeaders: ["Content-Type", "Authorization"],
        exposeHeaders: ["Retry-After", "X-Request-Id", "X-Total-Count"],
        maxAge: 600,
      }),
    )
    .onRequest(({ request }) => requireAcceptable(contextOf(request), allowed))
    .all(
      "/*",
      async ({ request }) => {
        const context = contextOf(request);
        if (context.route === undefined) throw notFound();
        const answer = await handlers[context.route.name](context);
        const isRefused = answer.status >= 400 && "betterAuth" in context.route;
        return isRefused && isReadByPeople(context) ? await refuse(answer, context) : answer;
      },
      { parse: "none" },
    );
  return async (request, peers, reading) => {
    const context = describe(request, peers, reading);
    contexts.set(request, context);
    const origin = request.headers.get("origin");
    // A preflight and a read are refused by the browser alone, for want of CORS headers.
    if (origin !== null && context.route !== undefined && !allowed.has(origin))
      logRefusal({ what: "origin", value: origin, path: context.path, request: context });
    try {
      return finish(context, await elysia.handle(request));
    } catch (error) {
      return finish(context, fail(error, context));
    }
  };
}

/** Whether somebody looks at an error in a browser. What answers programs and operators stays what they expect. */
function isReadByPeople({ path, route, request }: RequestContext): boolean {
  if (route?.kind === "verification" || route?.kind === "service") return false;
  return isPagePath(path) || opensPage(request.headers);
}

/** @throws AppError for what is refused before any route: 400, 403, 404 and 405. */
function requireAcceptable(context: RequestContext, allowed: ReadonlySet<string>): void {
  const { request, route } = context;
  if (!isHost(request.headers.get("host")))
    throw new AppError("INVALID_HOST", "The Host header is missing or not valid.");
  if (request.method === "OPTIONS") return;
  const methods = route === undefined ? undefined : methodsOf(route);
  if (request.method === "TRACE" || request.method === "CONNECT") throw methodNotAllowed(methods ?? ["GET"]);
  if (methods === undefined) throw notFound();
  if (!methods.includes(request.method)) throw methodNotAllowed(methods);
  requireAllowedOrigin(request.method, request.headers, allowed);
  requireUniqueParameters(context);
}

/** Pages bring some of their own. */
const policiesOfPages: ReadonlySet<string> = new Set(["Content-Security-Policy", "Referrer-Policy"]);

/** Builds the last step of every answer: request id, security headers, Vary, and no CORS but what was granted. */
function createFinish(fixedHeaders: Readonly<Record<string, string>>): Pipeline["finish"] {
  const fixed = Object.entries(fixedHeaders);
  return ({ requestId, path, route }, response) => {
    const { headers } = response;
    headers.set("X-Request-Id", requestId);
    for (const [name, value] of fixed)
      if (!policiesOfPages.has(name) || !headers.has(name)) headers.set(name, value);
    const isVerification = route?.kind === "verification";
    if (isVerification || isPagePath(path)) dropCors(headers);
    else dropUngrantedCors(headers);
    const isPage = headers.get("Content-Type")?.startsWith("text/html") === true;
    headers.set("Vary", isVerification ? verifyVary : isPage ? "Origin, Accept-Language" : "Origin");
    return response;
  };
}
