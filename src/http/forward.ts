import { AppError } from "../errors.ts";
import { type CallbackRules, checkCallback, foreignOrigin } from "./callback-url.ts";
import type { LogRefusal } from "./refusal-log.ts";
import { isHost, opensPage, type RequestContext } from "./request.ts";
import { type AnswerVerify, verifyVary } from "./verify.ts";

export interface ForwardDeps {
  readonly answerVerify: AnswerVerify;
  readonly rules: CallbackRules;
  readonly logRefusal: LogRefusal;
  /** An error as a page that needs nothing of this server's. @param again what to try again. */
  readonly errorPage: (error: AppError, context: RequestContext, again: string | null) => Response;
}

/**
 * Builds `/api/auth/forward` for Traefik's ForwardAuth and Caddy's forward_auth: verify's answer, but for a person who
 * opens a page the way to the sign-in page and back, and errors as pages. docs/contract.md, Forward.
 */
export function createForwardAnswer({ answerVerify, rules, logRefusal, errorPage }: ForwardDeps) {
  return async (context: RequestContext): Promise<Response> => {
    const { request, requestId, fromProxy, path } = context;
    const answer = await answerVerify(request, requestId);
    if (answer.status === 200 || !fromProxy || !isNavigation(request)) return answer;
    const original = originalUrl(request.headers);
    if (answer.status !== 401) {
      const retryAfter = answer.headers.get("retry-after") ?? "1";
      const outage = new AppError("SESSION_STORE_UNAVAILABLE", "The session store does not answer.", {
        headers: { "Retry-After": retryAfter },
      });
      return errorPage(outage, context, original);
    }
    const checked = original === null ? null : checkCallback(original, rules);
    if (checked === null) {
      const foreign = foreignOrigin(original, rules);
      if (foreign !== null) logRefusal({ what: "callback", value: foreign, path, request: context });
      const challenge = answer.headers.get("www-authenticate") ?? "Bearer";
      const stranger = new AppError("NO_CREDENTIALS", "No session was presented.", {
        headers: { "WWW-Authenticate": challenge },
      });
      return errorPage(stranger, context, null);
    }
    return new Response(null, {
      status: 302,
      headers: {
        Location: `${rules.ownOrigin}/signin?callbackUrl=${encodeURIComponent(checked)}`,
        "Cache-Control": "no-store",
        Vary: verifyVary,
      },
    });
  };
}

/** Whether a person opens a page; a script's or a program's request would follow the redirect to no use. */
function isNavigation({ method, headers }: Request): boolean {
  const forwarded = headers.get("x-forwarded-method") ?? method;
  if (forwarded !== "GET" && forwarded !== "HEAD") return false;
  return opensPage(headers);
}

/** The URL that the visitor asked the proxy for; null unless each of its parts is there once and well-formed. */
function originalUrl(headers: Headers): string | null {
  const protocol = headers.get("x-forwarded-proto");
  const host = headers.get("x-forwarded-host");
  const target = headers.get("x-forwarded-uri");
  if (protocol !== "https" && protocol !== "http") return null;
  if (!isHost(host) || target === null || !target.startsWith("/")) return null;
  return `${protocol}://${host}${target}`;
}
