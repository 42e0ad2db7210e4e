import { AppError } from "../errors.ts";

const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Refuses a state-changing request that a foreign page may have caused. It does not depend on BetterAuth's own checks,
 * which some environment variables switch off.
 * @throws AppError 403 `INVALID_ORIGIN`, `MISSING_OR_NULL_ORIGIN` or `CROSS_SITE_NAVIGATION_LOGIN_BLOCKED`.
 */
export function requireAllowedOrigin(method: string, headers: Headers, allowed: ReadonlySet<string>): void {
  if (safeMethods.has(method)) return;
  if (headers.get("sec-fetch-site") === "cross-site" && headers.get("sec-fetch-mode") === "navigate") {
    throw new AppError(403, "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED", "Cross-site navigation login blocked.");
  }
  const origin = headers.get("origin");
  if (origin !== null) {
    if (origin === "null") throw missingOrigin();
    if (!allowed.has(origin)) throw new AppError(403, "INVALID_ORIGIN", "Invalid origin");
    return;
  }
  if (!headers.has("cookie")) return;
  const referer = headers.get("referer");
  if (referer === null) throw missingOrigin();
  if (!URL.canParse(referer) || !allowed.has(new URL(referer).origin)) {
    throw new AppError(403, "INVALID_ORIGIN", "Invalid origin");
  }
}

function missingOrigin(): AppError {
  return new AppError(403, "MISSING_OR_NULL_ORIGIN", "Missing or null Origin");
}
