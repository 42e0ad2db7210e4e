import { nameMaxLength } from "../auth/input.ts";
import { AppError } from "../errors.ts";
import type { SessionRow } from "../database/sessions/store.ts";
import { type Refusal, sessionEnd, type Verification, type Verify } from "../session/verifier.ts";

/** Verify's answers depend on these, and on nothing else. */
export const verifyVary = "Origin, Cookie, Authorization";

const refusalMessages: Readonly<Record<Refusal, string>> = {
  NO_CREDENTIALS: "No session was presented.",
  INVALID_SESSION: "The session's signature is not valid.",
  SESSION_EXPIRED: "The session has ended.",
};

export interface VerifyAnswerDeps {
  readonly verify: Verify;
  readonly sessionMaxAgeSeconds: number;
  /** Whether `Authorization` counts at all. */
  readonly readsBearer: boolean;
  /** Headers that every answer carries. */
  readonly fixedHeaders: Readonly<Record<string, string>>;
  readonly onFailure: (error: unknown, requestId: string) => void;
}

/** Answers one request for `/api/auth/verify`. */
export type AnswerVerify = (request: Request, requestId: string) => Response | Promise<Response>;

/** An answer but for its request id. */
interface Rendered {
  readonly status: number;
  readonly body: string;
  /** To be copied into a `Response` at once, after the request id was set: the next answer may change them. */
  readonly headers: Headers;
}

/** Builds `GET /api/auth/verify`: it only reads, never refreshes and never sends a cookie. docs/contract.md, Verify. */
export function createVerifyAnswer(deps: VerifyAnswerDeps): AnswerVerify {
  const refusals = renderRefusals(deps.fixedHeaders);
  const kept = new WeakMap<SessionRow, Rendered | null>();
  // Filled in for one answer after the other, each of which copies them.
  const passing = new Headers(answerHeaders(deps.fixedHeaders));
  const renderLive = (row: SessionRow): Rendered => {
    const known = kept.get(row);
    if (known) return known;
    setIdentity(passing, row);
    const rendered = { status: 200, body: sessionBody(row, deps.sessionMaxAgeSeconds), headers: passing };
    // Kept from the second time on: most sessions of a large rotation are gone from the cache before they are seen again.
    kept.set(row, known === null ? { ...rendered, headers: new Headers(passing) } : null);
    return rendered;
  };
  const answer = (result: Verification, requestId: string): Response => {
    const rendered = "refusal" in result ? refusals[result.refusal] : renderLive(result.session);
    rendered.headers.set("X-Request-Id", requestId);
    return new Response(rendered.body, rendered);
  };
  const fail = (error: unknown, requestId: string): Response => {
    deps.onFailure(error, requestId);
    const headers = error instanceof AppError ? error.headers : {};
    return unavailable({ ...deps.fixedHeaders, "Retry-After": "1", ...headers, "X-Request-Id": requestId });
  };
  return (request, requestId) => {
    try {
      const { headers } = request;
      const result = deps.verify(
        headers.get("cookie"),
        deps.readsBearer ? headers.get("authorization") : null,
      );
      if (!(result instanceof Promise)) return answer(result, requestId);
      return result.then(
        (found) => answer(found, requestId),
        (error: unknown) => fail(error, requestId),
      );
    } catch (error) {
      return fail(error, requestId);
    }
  };
}

function sessionBody(row: SessionRow, sessionMaxAgeSeconds: number): string {
  const { user } = row;
  return JSON.stringify({
    valid: true,
    user: { ...user, createdAt: new Date(user.createdAt), updatedAt: new Date(user.updatedAt) },
    session: {
      id: row.id,
      userId: row.userId,
      expiresAt: new Date(sessionEnd(row, sessionMaxAgeSeconds)),
      createdAt: new Date(row.createdAt),
      updatedAt: new Date(row.updatedAt),
    },
  });
}

function setIdentity(headers: Headers, { id, user }: SessionRow): void {
  headers.set("X-Auth-User-Id", headerText(user.id));
  headers.set("X-Auth-Session-Id", headerText(id));
  headers.set("X-Auth-Email", headerText(user.email));
  headers.set("X-Auth-Email-Verified", String(user.emailVerified));
  headers.set("X-Auth-Name", headerText(firstCharacters(user.name)));
}

function renderRefusals(fixedHeaders: Readonly<Record<string, string>>): Readonly<Record<Refusal, Rendered>> {
  const challenge = 'Bearer realm="latchkey"';
  const render = (refusal: Refusal): Rendered => ({
    status: 401,
    body: JSON.stringify({ valid: false, code: refusal, message: refusalMessages[refusal] }),
    headers: new Headers({
      ...answerHeaders(fixedHeaders),
      "WWW-Authenticate": refusal === "NO_CREDENTIALS" ? challenge : `${challenge}, error="invalid_token"`,
    }),
  });
  return {
    NO_CREDENTIALS: render("NO_CREDENTIALS"),
    INVALID_SESSION: render("INVALID_SESSION"),
    SESSION_EXPIRED: render("SESSION_EXPIRED"),
  };
}

function unavailable(headers: Readonly<Record<string, string>>): Response {
  return Response.json(
    {
      valid: false,
      code: "SESSION_STORE_UNAVAILABLE",
      message: "The session store is not available. Try again shortly.",
    },
    { status: 503, headers: { ...answerHeaders(headers) } },
  );
}

function answerHeaders(fixed: Readonly<Record<string, string>>): Record<string, string> {
  return {
    "Content-Type": "application/json;charset=utf-8",
    ...fixed,
    "Cache-Control": "no-store",
    Vary: verifyVary,
  };
}

/** A name that was taken over may be of any length; proxies have 4 KB for all headers. The body has it whole. */
function firstCharacters(name: string): string {
  return name.length <= nameMaxLength
    ? name
    : Array.from(name.slice(0, 2 * nameMaxLength))
        .slice(0, nameMaxLength)
        .join("");
}

const unsafeInHeader = /[^\x21-\x24\x26-\x7e]/gu;

/** Text as a header may carry it: UTF-8, percent-encoded outside 0x21–0x7E, `%` itself included. */
export function headerText(text: string): string {
  return text.toWellFormed().replace(unsafeInHeader, (character) => {
    const code = character.codePointAt(0) ?? 0;
    // encodeURIComponent leaves only unreserved ASCII, which the pattern does not match.
    return code === 0x25 ? "%25" : encodeURIComponent(character);
  });
}
