import type { AppError } from "../errors.ts";
import type { SessionRow } from "../session/store.ts";
import { type Refusal, sessionEnd, type Verification, type Verify } from "../session/verify.ts";

/** Verify's answers depend on these, and on nothing else. */
export const verifyVary = "Origin, Cookie, Authorization";

const refusalMessages: Readonly<Record<Refusal, string>> = {
  NO_CREDENTIALS: "No session was presented.",
  INVALID_SESSION: "The session's signature is not valid.",
  SESSION_EXPIRED: "The session has ended.",
};

/** Builds `GET /api/auth/verify`: it only reads, never refreshes and never sends a cookie. CONTRACT 2.1. */
export function createVerifyHandler(
  verify: Verify,
  sessionMaxAgeSeconds: number,
  onFailure: (error: unknown) => void,
) {
  const answer = (result: Verification): Response =>
    "refusal" in result
      ? refusalResponse(result.refusal)
      : liveResponse(result.session, sessionMaxAgeSeconds);
  const fail = (error: unknown): Response => {
    onFailure(error);
    return unavailableResponse(error);
  };
  return (request: Request): Response | Promise<Response> => {
    try {
      const result = verify(request.headers.get("cookie"), request.headers.get("authorization"));
      return result instanceof Promise ? result.then(answer, fail) : answer(result);
    } catch (error) {
      return fail(error);
    }
  };
}

function liveResponse(row: SessionRow, sessionMaxAgeSeconds: number): Response {
  const { user } = row;
  const body = {
    valid: true,
    user: { ...user, createdAt: iso(user.createdAt), updatedAt: iso(user.updatedAt) },
    session: {
      id: row.id,
      userId: row.userId,
      expiresAt: iso(sessionEnd(row, sessionMaxAgeSeconds)),
      createdAt: iso(row.createdAt),
      updatedAt: iso(row.updatedAt),
    },
  };
  return Response.json(body, {
    headers: {
      "X-Auth-User-Id": user.id,
      "X-Auth-Session-Id": row.id,
      "X-Auth-Email": headerText(user.email),
      "X-Auth-Email-Verified": String(user.emailVerified),
      "X-Auth-Name": headerText(user.name),
      "Cache-Control": "no-store",
      Vary: verifyVary,
    },
  });
}

function refusalResponse(refusal: Refusal): Response {
  const challenge = 'Bearer realm="latchkey"';
  return Response.json(
    { valid: false, code: refusal, message: refusalMessages[refusal] },
    {
      status: 401,
      headers: {
        "WWW-Authenticate": refusal === "NO_CREDENTIALS" ? challenge : `${challenge}, error="invalid_token"`,
        "Cache-Control": "no-store",
        Vary: verifyVary,
      },
    },
  );
}

function unavailableResponse(error: unknown): Response {
  const headers = (error as Partial<AppError>).headers ?? {};
  return Response.json(
    {
      valid: false,
      code: "SESSION_STORE_UNAVAILABLE",
      message: "The session store is not available. Try again shortly.",
    },
    {
      status: 503,
      headers: { "Retry-After": "1", ...headers, "Cache-Control": "no-store", Vary: verifyVary },
    },
  );
}

/** Text as a header may carry it: UTF-8, percent-encoded outside 0x21–0x7E, `%` itself included. */
export function headerText(text: string): string {
  return text.toWellFormed().replace(/[^\x21-\x24\x26-\x7e]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    // encodeURIComponent leaves only unreserved ASCII, which the pattern does not match.
    return code === 0x25 ? "%25" : encodeURIComponent(character);
  });
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}
