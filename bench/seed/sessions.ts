import { signToken } from "../../src/session/cookie.ts";
import type { RequestParts } from "../load/requests.ts";

/** Signs the seeded sessions' cookies, in every target. */
export const secret = "bench-6c0f1a94d2b7e8835fa1c9d07b34e621";
export const password = "correct horse battery staple";

/** How many users there are, and how many live sessions, dealt out to them in turn. */
export interface Population {
  readonly users: number;
  readonly sessions: number;
}

/** What a session's row holds; instants in ms since the epoch. Texts have the same length in every row. */
export interface SeededSession {
  readonly id: string;
  readonly token: string;
  readonly userId: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly ipAddress: string;
  readonly userAgent: string;
}

export interface SeededUser {
  readonly id: string;
  readonly accountId: string;
  readonly name: string;
  readonly email: string;
  readonly createdAt: number;
}

const weekMs = 7 * 24 * 60 * 60 * 1000;
const userAgent =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

export function seededUser(index: number, now: number): SeededUser {
  return {
    id: identifier("user", index),
    accountId: identifier("account", index),
    name: `Visitor ${digits(index)}`,
    email: emailOf(index),
    createdAt: now,
  };
}

export function seededSession(index: number, { users }: Population, now: number): SeededSession {
  return {
    id: identifier("session", index),
    token: tokenOf(index),
    userId: identifier("user", index % users),
    createdAt: now,
    // A refresh falls due a day after this: not during the bench.
    expiresAt: now + weekMs,
    ipAddress: "203.0.113.7",
    userAgent,
  };
}

export function emailOf(index: number): string {
  return `visitor-${digits(index)}@example.com`;
}

/** The `Cookie` header of a seeded session. */
export function cookieOf(index: number): string {
  return `better-auth.session_token=${signToken(tokenOf(index), secret)}`;
}

/** GET requests of `path`, one a session, from the first on. */
export function sessionRequests(path: string, sessions: number): RequestParts[] {
  return Array.from({ length: sessions }, (_, index) => ({ path, headers: { Cookie: cookieOf(index) } }));
}

function tokenOf(index: number): string {
  return identifier("token", index);
}

/** 32 characters spread evenly, as BetterAuth's random ones are: neighbours in time are none in an index. */
function identifier(kind: string, index: number): string {
  return new Bun.CryptoHasher("sha256").update(`${kind} ${index}`).digest("hex").slice(0, 32);
}

function digits(index: number): string {
  return String(index).padStart(7, "0");
}
