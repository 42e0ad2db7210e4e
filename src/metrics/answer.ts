import { timingSafeEqual } from "node:crypto";
import { AppError } from "../errors.ts";
import type { Front } from "../front.ts";
import { errorResponse, methodNotAllowed, notFound, publicError } from "../http/error-response.ts";
import { securityHeaders } from "../http/headers.ts";
import { createRequestIds, isHost } from "../http/request.ts";
import { type Figures, sumOf } from "./figures.ts";

const metricsPath = "/metrics";

export interface MetricsAnswerDeps {
  /** What whoever asks has to show; null for nothing. */
  readonly token: string | null;
  /** Whether the public origin is https. */
  readonly secure: boolean;
  readonly version: string;
  /** The kind of database. */
  readonly driver: string;
  /** What was counted. */
  readonly gather: () => Promise<Figures>;
}

/** Answers one request for the figures. */
export type AnswerMetrics = (request: Request) => Promise<Response>;

export function createMetricsAnswer(deps: MetricsAnswerDeps): AnswerMetrics {
  const isAllowed = createTokenCheck(deps.token);
  const build = {
    latchkey_build_info: { [`${deps.version},${Bun.version},${deps.driver}`]: [1] },
  };
  const requestIds = createRequestIds();
  const fixed = Object.entries({ ...securityHeaders(deps.secure), "Cache-Control": "no-store" });
  const answer = async (request: Request): Promise<Response> => {
    if (!isHost(request.headers.get("host")))
      throw new AppError("INVALID_HOST", "The Host header is missing or not valid.");
    if (!isAllowed(request.headers.get("authorization"))) return unauthorized();
    // Loaded for the first who asks: a start does without the library.
    const { expose, expositionType } = await import("./exposition.ts");
    const text = await expose(sumOf([await deps.gather(), build]));
    return new Response(text, { headers: { "Content-Type": expositionType } });
  };
  return async (request) => {
    const response = await answer(request).catch((error: unknown) => errorResponse(publicError(error)));
    response.headers.set("X-Request-Id", requestIds.next());
    for (const [name, value] of fixed) response.headers.set(name, value);
    return response;
  };
}

function unauthorized(): Response {
  return Response.json(
    { code: "UNAUTHORIZED", message: "The figures want their bearer token." },
    { status: 401, headers: { "WWW-Authenticate": 'Bearer realm="latchkey metrics"' } },
  );
}

/** Puts the figures beside the routes of a server. */
export function withMetrics(front: Front, answer: AnswerMetrics): Front {
  const both = { GET: answer, HEAD: answer };
  return { ...front, routes: { ...front.routes, [metricsPath]: both, [`${metricsPath}/`]: both } };
}

/** What answers where there are figures and nothing else. */
export function createMetricsFront(answer: AnswerMetrics): Front {
  const refuse = async ({ url }: Request): Promise<Response> => {
    const isThere = URL.canParse(url) && new URL(url).pathname === metricsPath;
    return errorResponse(isThere ? methodNotAllowed(["GET", "HEAD"]) : notFound());
  };
  return withMetrics({ fetch: refuse, routes: {} }, answer);
}

/** Compares digests, which are as long as each other: the time tells nothing of the token. */
function createTokenCheck(token: string | null): (authorization: string | null) => boolean {
  if (token === null) return () => true;
  const digest = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest();
  const wanted = digest(token);
  return (authorization) => {
    const shown = /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
    return shown !== undefined && timingSafeEqual(digest(shown), wanted);
  };
}
