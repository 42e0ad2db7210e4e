import { type AuthRouteName, routes } from "../routes.ts";
import { readCookie, signToken, verifySignedToken } from "../session/cookie.ts";
import { clientAddressHeader } from "./client-address.ts";
import type { Body } from "./input.ts";

interface RebuildDeps {
  readonly baseUrl: string;
  /** The first signs. */
  readonly secrets: readonly string[];
  readonly cookieName: string;
}

interface SentRequest {
  readonly name: AuthRouteName;
  /** With its question mark, or empty. */
  readonly search: string;
  readonly headers: Headers;
  readonly clientAddress: string;
}

interface Presented {
  /** Whether it was made without "remember me". */
  readonly isForOneDay: boolean;
}

/** The request as BetterAuth gets it: our own origin, host, path and client address, whatever was sent. */
export function rebuildRequest(
  deps: RebuildDeps,
  request: SentRequest,
  body: Body | undefined,
  presented: Presented | null,
): Request {
  const headers = new Headers(request.headers);
  for (const name of [
    "host",
    "content-length",
    "transfer-encoding",
    "x-forwarded-host",
    "x-forwarded-proto",
  ]) {
    headers.delete(name);
  }
  // Node's own fetch sends a mode alone; BetterAuth takes that for a browser that hides its origin.
  if (headers.get("origin") === null && !headers.has("sec-fetch-site")) {
    headers.delete("sec-fetch-mode");
    headers.delete("sec-fetch-dest");
  }
  headers.set(clientAddressHeader, request.clientAddress);
  const cookie = headers.get("cookie");
  if (cookie !== null) {
    // A sign-out looks at every one of them.
    const sound = request.name === "signOut" ? cookie : withoutForged(deps, cookie);
    const current = withCurrentSignature(deps, sound);
    headers.set("cookie", presented === null ? current : withRemembering(deps, current, presented));
  }
  const { path, methods } = routes[request.name];
  const url = deps.baseUrl + path + request.search;
  if (methods === "GET") return new Request(url, { headers });
  headers.set("content-type", "application/json");
  return new Request(url, { method: "POST", headers, body: JSON.stringify(body ?? {}) });
}

/** BetterAuth reads a signature less strictly: it is shown no session cookie that verify would not take. */
function withoutForged({ secrets, cookieName }: RebuildDeps, cookie: string): string {
  const value = readCookie(cookie, cookieName);
  if (value === undefined || verifySignedToken(value, secrets) !== null) return cookie;
  return withoutCookie(cookie, cookieName);
}

function withoutCookie(header: string, name: string): string {
  return header
    .split(";")
    .filter((pair) => pair.slice(0, Math.max(0, pair.indexOf("="))).trim() !== name)
    .join(";");
}

/** BetterAuth verifies with the newest secret alone: a session signed with an older one is signed anew on its way in. */
function withCurrentSignature({ secrets, cookieName }: RebuildDeps, cookie: string): string {
  const [current] = secrets;
  if (secrets.length < 2 || current === undefined) return cookie;
  const value = readCookie(cookie, cookieName);
  const signed = value === undefined ? null : verifySignedToken(value, secrets);
  return signed === null || signed.key === 0
    ? cookie
    : `${cookieName}=${signToken(signed.token, current)}; ${cookie}`;
}

/** BetterAuth asks a cookie whether a session is for one day: it is shown the one that the session's row stands for. */
function withRemembering(
  { secrets, cookieName }: RebuildDeps,
  cookie: string,
  { isForOneDay }: Presented,
): string {
  const name = cookieName.replace("session_token", "dont_remember");
  const others = withoutCookie(cookie, name);
  const [current] = secrets;
  return isForOneDay && current !== undefined ? `${others}; ${name}=${signToken("true", current)}` : others;
}
