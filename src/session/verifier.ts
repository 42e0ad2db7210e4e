import { plainCookie, type ReadToken, rawCookie } from "./cookie.ts";
import type { SessionRow, SessionStore } from "../database/sessions/store.ts";

/** Why a request has no live session. `SESSION_EXPIRED`: the signature is good, the row is gone or too old. */
export type Refusal = "NO_CREDENTIALS" | "INVALID_SESSION" | "SESSION_EXPIRED";
export type Verification = { readonly session: SessionRow } | { readonly refusal: Refusal };

export interface VerifierDeps {
  readonly sessions: SessionStore;
  readonly readToken: ReadToken;
  readonly cookieName: string;
  readonly bearer: "off" | "signed";
  /** Whether a session lives now, and was not found ended before. */
  readonly lives: (row: SessionRow) => boolean;
}

export type Verify = (
  cookie: string | null,
  authorization: string | null,
) => Verification | Promise<Verification>;

/** When a session ends, in ms since the epoch: its sliding expiry, or its absolute one if that comes first. */
export function sessionEnd(row: Pick<SessionRow, "expiresAt" | "createdAt">, maxAgeSeconds: number): number {
  return Math.min(row.expiresAt, row.createdAt + maxAgeSeconds * 1000);
}

/** How far the clocks of instances that share a database may differ. */
export const clockToleranceMs = 60 * 60 * 1_000;
/** Of a `Date`, either way from 1970. */
const instantMaxMs = 8.64e15;

/**
 * Whether a session's instants are ones that latchkey may have written. One that was made in the future has no absolute
 * end to be believed, and one that is no instant compares with nothing.
 */
export function isSound(
  { createdAt, expiresAt }: Pick<SessionRow, "expiresAt" | "createdAt">,
  now: number,
): boolean {
  return (
    createdAt <= now + clockToleranceMs && createdAt >= -instantMaxMs && Math.abs(expiresAt) <= instantMaxMs
  );
}

/** Whether a session lives at `now`, in ms since the epoch. */
export function isLive(
  row: Pick<SessionRow, "expiresAt" | "createdAt">,
  maxAgeSeconds: number,
  now: number,
): boolean {
  return sessionEnd(row, maxAgeSeconds) >= now && isSound(row, now);
}

const dayMs = 24 * 60 * 60 * 1_000;
/** The two instants of a row are read from the clock one after the other. */
const dayToleranceMs = 10_000;

/**
 * Whether a session was made without "remember me", for one day and no refresh: its row says so, whatever cookies come
 * with it. Where all sessions are as short, none is told apart.
 */
export function isForOneDay(
  { createdAt, expiresAt }: Pick<SessionRow, "expiresAt" | "createdAt">,
  sessionExpiresInSeconds: number,
): boolean {
  const limitMs = dayMs + dayToleranceMs;
  return sessionExpiresInSeconds * 1_000 > limitMs && expiresAt - createdAt <= limitMs;
}

/**
 * Builds the check behind `/api/auth/verify`: credentials → live session or the reason why not. It only reads.
 * The check throws, or rejects with, AppError 503 when the store cannot answer.
 */
export function createVerifier(deps: VerifierDeps): Verify {
  const judge = (row: SessionRow | null): Verification =>
    row !== null && deps.lives(row) ? { session: row } : { refusal: "SESSION_EXPIRED" };
  return (cookie, authorization) => {
    const bearer = deps.bearer === "signed" ? bearerToken(authorization) : undefined;
    // A bearer value whose signature verifies wins, else the cookie.
    let token = bearer === undefined ? null : deps.readToken(bearer);
    if (token === null) {
      const raw =
        cookie === null
          ? undefined
          : (plainCookie(cookie, deps.cookieName) ?? rawCookie(cookie, deps.cookieName));
      if (raw === undefined || raw === "")
        return { refusal: bearer === undefined ? "NO_CREDENTIALS" : "INVALID_SESSION" };
      token = deps.readToken(raw);
      if (token === null) return { refusal: "INVALID_SESSION" };
    }
    const found = deps.sessions.find(token);
    return found instanceof Promise ? found.then(judge) : judge(found);
  };
}

const bearerPattern = /^bearer +(\S+) *$/i;

/** The credential of `Authorization: Bearer …`, RFC 6750 §2.1: the session cookie's value, percent-encoded or not. */
function bearerToken(authorization: string | null): string | undefined {
  return authorization === null ? undefined : bearerPattern.exec(authorization)?.[1];
}
