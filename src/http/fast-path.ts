import type { ReadSession } from "../session/get-session.ts";
import type { AnswerVerify } from "./verify.ts";

/** Answers a request on the routes that every API behind latchkey pays for; null: the application has to. */
export type AnswerHot = (request: Request) => Response | Promise<Response | null> | null;

export interface HotDeps {
  readonly answerVerify: AnswerVerify;
  readonly readSession: ReadSession;
  readonly nextRequestId: () => string;
  readonly fixedHeaders: Readonly<Record<string, string>>;
  readonly isHost: (host: string | null) => boolean;
  /** Whether some peers' request ids are kept, which the application knows to do. */
  readonly keepsRequestIds: boolean;
}

/** The paths, with and without their trailing slash, and what answers them before any router. */
export function createHotRoutes(deps: HotDeps): Readonly<Record<string, AnswerHot>> {
  const isPlain = (request: Request) =>
    deps.isHost(request.headers.get("host")) &&
    !(deps.keepsRequestIds && request.headers.has("x-request-id"));
  const verify: AnswerHot = (request) =>
    isPlain(request) ? deps.answerVerify(request, deps.nextRequestId()) : null;
  const session = createSessionAnswer(deps, isPlain);
  return {
    "/api/auth/verify": verify,
    "/api/auth/verify/": verify,
    "/api/auth/get-session": session,
    "/api/auth/get-session/": session,
    "/api/auth/session": session,
    "/api/auth/session/": session,
  };
}

/** Get-session for callers without an Origin: with one, CORS is due, which the application knows to do. */
function createSessionAnswer(deps: HotDeps, isPlain: (request: Request) => boolean): AnswerHot {
  // In the order of the answers that come through BetterAuth and Elysia.
  const headers = new Headers({
    "Cache-Control": "no-store",
    Pragma: "no-cache",
    "Content-Type": "application/json",
    Vary: "Origin",
    ...deps.fixedHeaders,
  });
  const answer = (body: string | null): Response | null => {
    if (body === null) return null;
    headers.set("X-Request-Id", deps.nextRequestId());
    return new Response(body, { headers });
  };
  return (request) => {
    if (request.headers.has("origin") || !isPlain(request) || request.url.includes("?")) return null;
    try {
      const body = deps.readSession(request.headers.get("cookie"));
      // A store that fails is the application's to answer for.
      return body instanceof Promise ? body.then(answer, () => null) : answer(body);
    } catch {
      return null;
    }
  };
}
