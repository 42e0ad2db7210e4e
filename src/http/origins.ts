import { AppError } from "../errors.ts";
import { readable } from "./refusal-log.ts";

const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Refuses a state-changing request that a foreign page may have caused. It does not depend on BetterAuth's own checks,
 * which some environment variables switch off.
 * @throws AppError 403 `INVALID_ORIGIN`, `MISSING_OR_NULL_ORIGIN` or `CROSS_SITE_NAVIGATION_LOGIN_BLOCKED`.
 */
export function requireAllowedOrigin(method: string, headers: Headers, allowed: ReadonlySet<string>): void {
  if (safeMethods.has(method)) return;
  if (headers.get("sec-fetch-site") === "cross-site" && headers.get("sec-fetch-mode") === "navigate") {
    throw new AppError("CROSS_SITE_NAVIGATION_LOGIN_BLOCKED", "Cross-site navigation login blocked.");
  }
  const origin = headers.get("origin");
  if (origin !== null) {
    if (origin === "null") throw missingOrigin();
    if (!allowed.has(origin)) throw invalidOrigin(origin);
    return;
  }
  if (!headers.has("cookie")) return;
  const referer = headers.get("referer");
  if (referer === null) throw missingOrigin();
  if (!URL.canParse(referer) || !allowed.has(new URL(referer).origin)) throw invalidOrigin(referer);
}

function invalidOrigin(from: string): AppError {
  const message = `Invalid origin: ${readable(from)} is not in BETTER_AUTH_TRUSTED_ORIGINS`;
  return new AppError("INVALID_ORIGIN", message);
}

function missingOrigin(): AppError {
  return new AppError("MISSING_OR_NULL_ORIGIN", "Missing or null Origin");
}

const crossOriginHeaders = [
  "access-control-allow-origin",
  "access-control-allow-credentials",
  "access-control-allow-methods",
  "access-control-allow-headers",
  "access-control-expose-headers",
  "access-control-max-age",
];

/** Removes what @elysiajs/cors sends to origins that are not on the list: an answer without Allow-Origin has none. */
export function dropUngrantedCors(headers: Headers): void {
  if (!headers.has("access-control-allow-origin")) dropCors(headers);
}

export function dropCors(headers: Headers): void {
  for (const name of crossOriginHeaders) headers.delete(name);
}
