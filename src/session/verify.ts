import { readCookie, verifySignedToken } from "./cookie.ts";
import type { SessionRow, SessionStore } from "./store.ts";

/** Why a request has no live session. `SESSION_EXPIRED`: the signature is good, the row is gone or too old. */
export type Refusal = "NO_CREDENTIALS" | "INVALID_SESSION" | "SESSION_EXPIRED";
export type Verification = { readonly session: SessionRow } | { readonly refusal: Refusal };

export interface VerifierDeps {
  readonly sessions: SessionStore;
  /** The first signs, all verify. */
  readonly secrets: readonly string[];
  readonly cookieName: string;
  readonly bearer: "off" | "signed";
  readonly sessionMaxAgeSeconds: number;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

export type Verify = (
  cookie: string | null,
  authorization: string | null,
) => Verification | Promise<Verification>;

/** When a session ends, in ms since the epoch: its sliding expiry, or its absolute one if that comes first. */
export function sessionEnd(row: Pick<SessionRow, "expiresAt" | "createdAt">, maxAgeSeconds: number): number {
  return Math.min(row.expiresAt, row.createdAt + maxAgeSeconds * 1000);
}

/**
 * Builds the check behind `/api/auth/verify`: credentials → live session or the reason why not. It only reads.
 * The check throws, or rejects with, AppError 503 when the store cannot answer.
 */
export function createVerifier(deps: VerifierDeps): Verify {
  const judge = (row: SessionRow | null): Verification =>
    row !== null && sessionEnd(row, deps.sessionMaxAgeSeconds) >= deps.now()
      ? { session: row }
      : { refusal: "SESSION_EXPIRED" };
  return (cookie, authorization) => {
    const credential = presented(deps, cookie, authorization);
    if (credential === undefined) return { refusal: "NO_CREDENTIALS" };
    const signed = verifySignedToken(credential, deps.secrets);
    if (signed === null) return { refusal: "INVALID_SESSION" };
    const found = deps.sessions.find(signed.token);
    return found instanceof Promise ? found.then(judge) : judge(found);
  };
}

/** The signed value to check: a bearer one whose signature verifies, where those are on, else the cookie's. */
function presented(
  deps: VerifierDeps,
  cookie: string | null,
  authorization: string | null,
): string | undefined {
  const bearer = deps.bearer === "signed" ? bearerToken(authorization) : undefined;
  if (bearer !== undefined && verifySignedToken(bearer, deps.secrets) !== null) return bearer;
  const value = cookie === null ? undefined : readCookie(cookie, deps.cookieName);
  return value || bearer;
}

/** The credential of `Authorization: Bearer …`, percent-decoded. RFC 6750 §2.1. */
function bearerToken(authorization: string | null): string | undefined {
  const match = authorization === null ? null : /^bearer +(\S+) *$/i.exec(authorization);
  const value = match?.[1];
  if (value === undefined) return undefined;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
