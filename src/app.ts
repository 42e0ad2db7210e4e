import { cors } from "@elysiajs/cors";
import { Elysia } from "elysia";
import type { HandleAuth } from "./auth/handle.ts";
import type { Config } from "./config/load.ts";
import { AppError } from "./errors.ts";
import type { Log } from "./log.ts";
import type { ReadSession } from "./session/get-session.ts";
import type { Verify } from "./session/verifier.ts";
import { type CallAuth, createAuthCall, createAuthRoute, type RequestFacts } from "./http/auth.ts";
import { type ClientAddresses, createClientAddresses } from "./http/client-address.ts";
import { errorResponse, methodNotAllowed, notFound, publicError } from "./http/error-response.ts";
import { createForwardAnswer } from "./http/forward.ts";
import {
  createRequestIds,
  dropCors,
  dropUngrantedCors,
  isRequestId,
  securityHeaders,
} from "./http/headers.ts";
import { live } from "./http/health.ts";
import { type AnswerHot, createHotRoutes } from "./http/fast-path.ts";
import { createHostMemory, isHost } from "./http/host.ts";
import { createOpenApiAnswer } from "./http/openapi.ts";
import { requireAllowedOrigin } from "./http/origins.ts";
import { createPages, type Pages } from "./pages/pages.ts";
import { canonicalPath, isPage, isVerification, methodsOf } from "./http/routes.ts";
import { sessionAlias } from "./http/session.ts";
import { type AnswerVerify, createVerifyAnswer, verifyVary } from "./http/verify.ts";

export interface AppDeps {
  readonly config: Config;
  readonly version: string;
  readonly log: Log;
  readonly handleAuth: HandleAuth;
  readonly verify: Verify;
  readonly readSession: ReadSession;
  readonly health: () => Promise<Response>;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

/** Answers a request whose peer, an address without a port, the server names. */
export type Respond = (request: Request, peer: string) => Promise<Response>;

export interface App {
  readonly respond: Respond;
  /** Path → what answers it before any router. */
  readonly hot: Readonly<Record<string, AnswerHot>>;
}

/** Builds the whole HTTP application; the route table is `routed` below. */
export function createApp(deps: AppDeps): App {
  const { config, log } = deps;
  const allowed = new Set(config.trustedOrigins);
  const addresses = createClientAddresses(config.trustedProxies);
  const nextRequestId = createRequestIds();
  const facts = new WeakMap<Request, RequestFacts>();
  const factsOf = (request: Request): RequestFacts =>
    facts.get(request) ?? { requestId: "", clientAddress: "0.0.0.0", fromProxy: false };
  const call = createAuthCall({ handle: deps.handleAuth, log });
  const pages = createPages({ config, log, call, readSession: deps.readSession, now: deps.now });
  const fail = (request: Request, error: unknown): Response => {
    const shown = publicError(error);
    const { requestId } = factsOf(request);
    if (shown.status >= 500) log.error({ requestId, code: shown.code, cause: shown.cause }, "request failed");
    return isPage(pathOf(request)) ? pages.failure(request, shown, requestId) : errorResponse(shown);
  };
  const fixedHeaders = securityHeaders(config.baseUrl.startsWith("https:"));
  const answerVerify = createVerifyAnswer({
    verify: deps.verify,
    sessionMaxAgeSeconds: config.sessionMaxAgeSeconds,
    readsBearer: config.bearer === "signed",
    fixedHeaders,
    onFailure: (cause) => log.error({ code: "SESSION_STORE_UNAVAILABLE", cause }, "session lookup failed"),
  });
  const app = routed({ ...deps, call, pages }, allowed, factsOf, fail, answerVerify);
  const finish = createFinish(config.baseUrl.startsWith("https:"));

  const respond: Respond = async (request, peer) => {
    const known = describe(request, peer, addresses, nextRequestId);
    facts.set(request, known);
    let response: Response;
    try {
      response = await app.handle(request);
    } catch (error) {
      response = fail(request, error);
    }
    return finish(request, response, known.requestId);
  };
  const hot = createHotRoutes({
    answerVerify,
    readSession: deps.readSession,
    nextRequestId,
    fixedHeaders,
    isHost: createHostMemory(),
    keepsRequestIds: config.trustedProxies.length > 0,
  });
  return { respond, hot };
}

function routed(
  deps: AppDeps & { readonly call: CallAuth; readonly pages: Pages },
  allowed: ReadonlySet<string>,
  factsOf: (request: Request) => RequestFacts,
  fail: (request: Request, error: unknown) => Response,
  answerVerify: AnswerVerify,
) {
  const { pages, version } = deps;
  const answerForward = createForwardAnswer(answerVerify, deps.config);
  const auth = createAuthRoute(deps.call, deps.readSession);
  return new Elysia({ normalize: false })
    .onError(({ error, code, request }) => fail(request, code === "NOT_FOUND" ? notFound() : error))
    .use(
      cors({
        origin: (request) => allowed.has(request.headers.get("origin") ?? ""),
        credentials: true,
        methods: ["GET", "POST", "OPTIONS"],
        allowedHeaders: ["Content-Type", "Authorization"],
        exposeHeaders: ["Retry-After", "X-Request-Id"],
        maxAge: 600,
      }),
    )
    .onRequest(({ request }) => requireAcceptable(request, allowed))
    .get("/health", deps.health)
    .get("/health/live", () => live(version))
    .get("/openapi.json", createOpenApiAnswer(deps.config, version))
    .get("/api/auth/verify", ({ request }) => answerVerify(request, factsOf(request).requestId))
    .get("/api/auth/forward", ({ request }) => answerForward(request, factsOf(request)))
    .get("/api/auth/session", async ({ request }) =>
      sessionAlias(await auth(request, "/get-session", factsOf(request))),
    )
    .all(
      "/api/auth/*",
      ({ request }) => auth(request, pathOf(request).slice("/api/auth".length), factsOf(request)),
      { parse: "none" },
    )
    .all("/*", ({ request }) => pages.respond(request, factsOf(request)), { parse: "none" });
}

/** @throws AppError for what is refused before any route: 400, 403, 404 and 405. */
function requireAcceptable(request: Request, allowed: ReadonlySet<string>): void {
  if (!isHost(request.headers.get("host"))) {
    throw new AppError(400, "INVALID_HOST", "The Host header is missing or not valid.");
  }
  const methods = methodsOf(pathOf(request));
  if (request.method === "OPTIONS") return;
  if (request.method === "TRACE" || request.method === "CONNECT")
    throw methodNotAllowed((methods ?? ["GET"]).join(", "));
  if (methods === undefined) throw notFound();
  if (!methods.includes(request.method)) throw methodNotAllowed(methods.join(", "));
  requireAllowedOrigin(request.method, request.headers, allowed);
}

function describe(
  request: Request,
  peer: string,
  addresses: ClientAddresses,
  nextRequestId: () => string,
): RequestFacts {
  const inbound = request.headers.get("x-request-id");
  const fromProxy = addresses.isTrusted(peer);
  return {
    requestId: inbound !== null && isRequestId(inbound) && fromProxy ? inbound : nextRequestId(),
    fromProxy,
    clientAddress: addresses.resolve(peer, request.headers.get("x-forwarded-for")),
  };
}

/** Builds the last step of every answer: request id, security headers, Vary, and no CORS but what was granted. */
function createFinish(https: boolean): (request: Request, response: Response, requestId: string) => Response {
  const fixed = Object.entries(securityHeaders(https));
  return (request, response, requestId) => {
    const { headers } = response;
    headers.set("X-Request-Id", requestId);
    const path = pathOf(request);
    // Pages bring a policy of their own.
    for (const [name, value] of fixed)
      if (name !== "Content-Security-Policy" || !headers.has(name)) headers.set(name, value);
    if (isVerification(path) || isPage(path)) dropCors(headers);
    else dropUngrantedCors(headers);
    headers.set("Vary", isVerification(path) ? verifyVary : "Origin");
    return response;
  };
}

/** The path without its trailing slash; empty where the request's target is no URL. */
function pathOf(request: Request): string {
  return URL.canParse(request.url) ? canonicalPath(new URL(request.url).pathname) : "";
}
