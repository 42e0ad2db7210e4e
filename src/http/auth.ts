import type { HandleAuth } from "../auth/handle.ts";
import type { Body } from "../auth/input.ts";
import { authRoutes } from "../auth/routes.ts";
import { newUnit } from "../auth/unit-of-work.ts";
import { storeUnavailable } from "../database/store-error.ts";
import { withDeadline } from "../deadline.ts";
import { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { ReadSession } from "../session/get-session.ts";
import { logAuthEvent } from "./auth-event.ts";
import { readBody } from "./body.ts";
import { notFound } from "./error-response.ts";

/** Everything but verify and health answers within this, 503 included. */
export const requestTimeoutMs = 5_000;

/** What the server knows of a request beyond its bytes. */
export interface RequestFacts {
  readonly requestId: string;
  readonly clientAddress: string;
  /** Whether the peer is a trusted proxy, whose `X-Forwarded-*` may be believed. */
  readonly fromProxy: boolean;
}

/** A request for one of `authRoutes`, its body read. */
export interface AuthCall {
  /** Below `/api/auth`. */
  readonly path: string;
  /** With its question mark, or empty. */
  readonly search: string;
  readonly headers: Headers;
  readonly body: Body | undefined;
}

/** Answers as the API does, with its deadline and its line in the log. @throws AppError. */
export type CallAuth = (call: AuthCall, facts: RequestFacts) => Promise<Response>;
export type AuthRoute = (request: Request, path: string, facts: RequestFacts) => Promise<Response>;

export interface AuthCallDeps {
  readonly handle: HandleAuth;
  readonly log: Log;
}

/** Builds what the API and the pages' forms share: BetterAuth within a deadline, and the event. */
export function createAuthCall({ handle, log }: AuthCallDeps): CallAuth {
  return async (call, facts) => {
    const { path } = call;
    const method = authRoutes.get(path);
    if (method === undefined) throw notFound();
    const unit = newUnit();
    const report = (status: number, code?: string) =>
      logAuthEvent(log, { path, status, code, seen: unit.seen, ...facts });
    try {
      const { response } = await withDeadline(
        handle({ method, ...call, clientAddress: facts.clientAddress }, unit),
        requestTimeoutMs,
        () => {
          unit.abandoned = true;
          return storeUnavailable(new Error(`${path} took longer than ${requestTimeoutMs} ms`));
        },
      );
      report(response.status, response.status < 400 ? undefined : await errorCodeOf(response));
      if (response.status >= 500)
        log.error({ requestId: facts.requestId, cause: unit.seen.internalError }, "request failed");
      return response;
    } catch (error) {
      if (error instanceof AppError) report(error.status, error.code);
      throw error;
    }
  };
}

/** Builds the route of everything that BetterAuth answers. `path` stands below `/api/auth`. */
export function createAuthRoute(call: CallAuth, readSession: ReadSession): AuthRoute {
  return async (request, path, facts) => {
    const method = authRoutes.get(path);
    if (method === undefined) throw notFound();
    if (path === "/get-session" && !request.url.includes("?")) {
      const body = await readSession(request.headers.get("cookie"));
      if (body !== null) return sessionResponse(body);
    }
    const body = method === "POST" ? await readBody(request) : undefined;
    const url = new URL(request.url);
    requireUniqueParameters(url);
    return call({ path, search: url.search, headers: request.headers, body }, facts);
  };
}

/** Upstream's answer to get-session, with its headers in its order. */
export function sessionResponse(body: string): Response {
  return new Response(body, {
    headers: { "Cache-Control": "no-store", Pragma: "no-cache", "Content-Type": "application/json" },
  });
}

/** @throws AppError 400 when a parameter stands twice in the query. */
export function requireUniqueParameters(url: URL): void {
  const names = [...url.searchParams.keys()];
  if (new Set(names).size < names.length) {
    throw new AppError(400, "REPEATED_PARAMETER", "A parameter is given twice.");
  }
}

async function errorCodeOf(response: Response): Promise<string | undefined> {
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  const code = (body as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}
