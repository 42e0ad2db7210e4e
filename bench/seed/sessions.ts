import { signToken } from "../../src/session/cookie.ts";
import type { RequestParts } from "../load/requests.ts";
import { identifier } from "./identifiers.ts";

/** Signs the seeded sessions' cookies, in every target. */
export const secret = "bench-6c0f1a94d2b7e8835fa1c9d07b34e621";
export const password = "correct horse battery staple";

/** How many users there are, and how many sessions, dealt out to them in turn. Texts have the same length in every row. */
export interface Population {
  readonly users: number;
  readonly sessions: number;
  /** How many of the sessions, the last ones, have ended and not been swept yet; none by default. */
  readonly ended?: number;
}

/** A refresh falls due a day after a session was made: not during the bench. */
export const sessionMs = 7 * 24 * 60 * 60 * 1000;
/** Since when the ended ones are. */
export const endedMs = 60_000;
export const userAgent =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
export const ipAddress = "203.0.113.7";
/** Digits of an index in names and addresses. */
export const digits = 7;

export function userIdOf(index: number): string {
  return identifier("user", index);
}

export function emailOf(index: number): string {
  return `visitor-${String(index).padStart(digits, "0")}@example.com`;
}

/** The `Cookie` header of a seeded session. */
export function cookieOf(index: number): string {
  return `better-auth.session_token=${signToken(identifier("token", index), secret)}`;
}

/**
 * GET requests of `path`, one a session.
 * @param step from each session asked for to the next; 1 asks for the first ones, whose rows are neighbours.
 */
export function sessionRequests(path: string, sessions: number, step = 1): RequestParts[] {
  return Array.from({ length: sessions }, (_, index) => ({
    path,
    headers: { Cookie: cookieOf(index * step) },
  }));
}
