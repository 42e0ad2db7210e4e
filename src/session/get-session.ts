import { plainCookie, type ReadToken } from "./cookie.ts";
import type { SessionRow, SessionStore } from "../database/sessions/store.ts";
import { isForOneDay, sessionEnd } from "./verifier.ts";

export interface SessionReaderDeps {
  readonly sessions: SessionStore;
  /** Knows the newest secret alone, as BetterAuth does. */
  readonly readToken: ReadToken;
  readonly cookieName: string;
  readonly sessionExpiresInSeconds: number;
  readonly sessionUpdateAgeSeconds: number;
  readonly sessionMaxAgeSeconds: number;
  /** Whether a session lives now, and was not found ended before. */
  readonly lives: (row: SessionRow) => boolean;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
}

/** Stands in the name of every cookie of BetterAuth's. */
const marker = "better-auth";

/** That BetterAuth has to answer: an anonymous or ended session, a refresh that is due, other cookies of BetterAuth's. */
interface Unanswered {
  /** Whether the session was looked up, so that its refresh is known to be due or the session to have ended. */
  readonly isKnown: boolean;
}

/** The body of the answer to get-session, or why there is none. */
export type SessionReading = string | Unanswered;

/** Answers get-session without BetterAuth where BetterAuth would only read; at most one look-up. */
export type ReadSession = (cookie: string | null) => SessionReading | Promise<SessionReading>;

const known: Unanswered = { isKnown: true };
const unknown: Unanswered = { isKnown: false };

/** Builds the read path of `GET /api/auth/get-session`, byte for byte upstream's answer. */
export function createSessionReader(deps: SessionReaderDeps): ReadSession {
  const rendered = new WeakMap<SessionRow, string>();
  const render = (row: SessionRow | null): SessionReading => {
    if (row === null || needsBetterAuth(row, deps)) return known;
    const kept = rendered.get(row);
    if (kept !== undefined) return kept;
    const body = sessionJson(row, sessionEnd(row, deps.sessionMaxAgeSeconds));
    rendered.set(row, body);
    return body;
  };
  return (cookie) => {
    // A second cookie of BetterAuth's (dont_remember, a duplicate) changes what it does.
    if (cookie === null || cookie.includes(marker, cookie.indexOf(marker) + 1)) return unknown;
    const raw = plainCookie(cookie, deps.cookieName);
    const token = raw === undefined ? null : deps.readToken(raw);
    if (token === null) return unknown;
    const found = deps.sessions.find(token);
    return found instanceof Promise ? found.then(render) : render(found);
  };
}

/** Whether BetterAuth would write, or clear cookies: the session has ended, or its refresh is due. */
function needsBetterAuth(row: SessionRow, deps: SessionReaderDeps): boolean {
  const now = deps.now();
  const end = sessionEnd(row, deps.sessionMaxAgeSeconds);
  if (!deps.lives(row)) return true;
  const due = end - deps.sessionExpiresInSeconds * 1000 + deps.sessionUpdateAgeSeconds * 1000 <= now;
  return due && !isClamped(row, deps.sessionMaxAgeSeconds) && !isForOneDay(row, deps.sessionExpiresInSeconds);
}

/** Whether a session already ends at its absolute lifetime, so that a refresh would change nothing. */
export function isClamped(row: SessionRow, sessionMaxAgeSeconds: number): boolean {
  return row.expiresAt >= row.createdAt + sessionMaxAgeSeconds * 1000;
}

/** BetterAuth's own key order. */
function sessionJson(row: SessionRow, end: number): string {
  const { user } = row;
  return JSON.stringify({
    session: {
      expiresAt: new Date(end),
      token: row.token,
      createdAt: new Date(row.createdAt),
      updatedAt: new Date(row.updatedAt),
      ipAddress: row.ipAddress,
      userAgent: row.userAgent,
      userId: row.userId,
      id: row.id,
    },
    user: {
      name: user.name,
      email: user.email,
      emailVerified: user.emailVerified,
      image: user.image,
      createdAt: new Date(user.createdAt),
      updatedAt: new Date(user.updatedAt),
      id: user.id,
    },
  });
}
