import { type CallbackRules, checkCallback } from "./callback-url.ts";
import { isHost, opensPage, type RequestContext } from "./request.ts";
import { type AnswerVerify, verifyVary } from "./verify.ts";

/**
 * Builds `/api/auth/forward` for Traefik's ForwardAuth and Caddy's forward_auth: verify's answer, but for a person who
 * opens a page without a session the way to the sign-in page and back. docs/contract.md, Forward.
 */
export function createForwardAnswer(answerVerify: AnswerVerify, rules: CallbackRules) {
  return async ({ request, requestId, fromProxy }: RequestContext): Promise<Response> => {
    const answer = await answerVerify(request, requestId);
    if (answer.status !== 401 || !fromProxy || !isNavigation(request)) return answer;
    const original = originalUrl(request.headers);
    const checked = original === null ? null : checkCallback(original, rules);
    if (checked === null) return answer;
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
