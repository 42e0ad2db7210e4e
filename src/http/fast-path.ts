import { routeList, type RouteWith } from "../routes.ts";
import type { ReadSession, SessionReading } from "../session/get-session.ts";
import { isHost, type Peers } from "./request.ts";
import type { AnswerVerify } from "./verify.ts";

/** Answers what the fast path does not. @param reading what is known of the session by then. */
export type Respond = (request: Request, peers: Peers, reading?: SessionReading) => Promise<Response>;

type Answer = Response | Promise<Response>;
type Handle = (request: Request, peers: Peers) => Answer;
/** The routes of `Bun.serve`, which finds them without a router of ours. */
export type FastRoutes = Readonly<Record<string, { readonly GET: Handle; readonly HEAD: Handle }>>;

export interface FastPathDeps {
  readonly answerVerify: AnswerVerify;
  readonly readSession: ReadSession;
  readonly health: () => Promise<Response>;
  readonly live: () => Response;
  readonly nextRequestId: () => string;
  /** Headers that every answer carries. */
  readonly fixedHeaders: Readonly<Record<string, string>>;
  /** Whether some peers' request ids are kept, which the application knows to do. */
  readonly keepsRequestIds: boolean;
  readonly respond: Respond;
}

/**
 * Builds what answers the routes that every API behind latchkey pays for, and those that look after it, ahead of Elysia; a request
 * that is not plain goes the whole way.
 */
export function createFastPath(deps: FastPathDeps): FastRoutes {
  const isGoodHost = createHostMemory();
  // A parameter may stand twice, which is 400; request.url costs 0.4 µs, and nothing else shows a query.
  const isPlain = (request: Request) =>
    !request.url.includes("?") &&
    isGoodHost(request.headers.get("host")) &&
    !(deps.keepsRequestIds && request.headers.has("x-request-id"));
  const session = createSessionHandler(deps, isPlain);
  const handlers: Readonly<Record<RouteWith<{ fast: true }>, Handle>> = {
    verify: (request, peers) =>
      isPlain(request) ? deps.answerVerify(request, deps.nextRequestId()) : deps.respond(request, peers),
    getSession: session,
    session,
    health: createHealthHandler(deps, isPlain, deps.health),
    live: createHealthHandler(deps, isPlain, deps.live),
  };
  return Object.fromEntries(
    routeList.flatMap(({ name, path }) => {
      const handle = (handlers as Readonly<Record<string, Handle | undefined>>)[name];
      return handle === undefined ? [] : [path, `${path}/`].map((at) => [at, { GET: handle, HEAD: handle }]);
    }),
  );
}

/** Get-session for callers without an Origin: with one, CORS is due, which the application knows to do. */
function createSessionHandler(deps: FastPathDeps, isPlain: (request: Request) => boolean): Handle {
  // In the order of the answers that come through BetterAuth and Elysia.
  const headers = new Headers({
    "Cache-Control": "no-store",
    Pragma: "no-cache",
    "Content-Type": "application/json",
    Vary: "Origin",
    ...deps.fixedHeaders,
  });
  return (request, peers) => {
    if (request.headers.has("origin") || !isPlain(request)) return deps.respond(request, peers);
    const answer = (reading: SessionReading): Answer => {
      if (typeof reading !== "string") return deps.respond(request, peers, reading);
      headers.set("X-Request-Id", deps.nextRequestId());
      return new Response(reading, { headers });
    };
    try {
      const reading = deps.readSession(request.headers.get("cookie"));
      // A store that fails is the application's to answer for.
      return reading instanceof Promise
        ? reading.then(answer, () => deps.respond(request, peers))
        : answer(reading);
    } catch {
      return deps.respond(request, peers);
    }
  };
}

/** Health, for callers without an Origin, too. */
function createHealthHandler(
  { respond, nextRequestId, fixedHeaders }: FastPathDeps,
  isPlain: (request: Request) => boolean,
  look: () => Answer,
): Handle {
  const fixed = Object.entries({ ...fixedHeaders, Vary: "Origin" });
  return async (request, peers) => {
    if (request.headers.has("origin") || !isPlain(request)) return await respond(request, peers);
    const answer = await look();
    answer.headers.set("X-Request-Id", nextRequestId());
    for (const [name, value] of fixed) answer.headers.set(name, value);
    return answer;
  };
}

/** Builds `isHost` with a memory of the last good one: callers always name the same. */
function createHostMemory(): (host: string | null) => boolean {
  let good: string | null = null;
  return (host) => {
    if (host !== null && host === good) return true;
    if (!isHost(host)) return false;
    good = host;
    return true;
  };
}
