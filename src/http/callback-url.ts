import type { Config } from "../config/config.ts";
import { withoutTrailingSlash } from "../routes.ts";

export interface CallbackRules {
  /** An absolute URL on a listed origin. */
  readonly defaultRedirectUrl: string;
  /** Exact origins, the server's own among them. */
  readonly allowedOrigins: ReadonlySet<string>;
  readonly ownOrigin: string;
  /** Whether nobody chose the default redirect: nothing may listen there. */
  readonly isGuess: boolean;
}

export function createCallbackRules(config: Config): CallbackRules {
  return {
    defaultRedirectUrl: config.defaultRedirectUrl,
    allowedOrigins: new Set(config.trustedOrigins),
    ownOrigin: config.baseUrl,
    isGuess: config.defaultRedirectIsGuess,
  };
}

/** Longer addresses would not fit into the header buffers of common proxies. */
const maxLength = 4_096;
/** Would come back to where the visitor already is. */
const dropped: ReadonlySet<string> = new Set(["/signin", "/signup", "/signout", "/forgot-password"]);
const own: ReadonlySet<string> = new Set(["/account", ...dropped]);

/** Where a page leads: to `value` where that may be, else to the default redirect somebody chose, else to the account. Fit for `Location`. docs/contract.md. */
export function resolveCallback(value: string | null | undefined, rules: CallbackRules): string {
  return (
    checkCallback(value, rules) ??
    (rules.isGuess ? null : checkCallback(rules.defaultRedirectUrl, rules)) ??
    new URL("/account", rules.ownOrigin).href
  );
}

/**
 * The absolute http(s) URL that `value` means, without user info and on a listed origin; null for anything else.
 * A value that starts with `/` is relative to the default redirect's origin, but `/account` is our own.
 */
export function checkCallback(value: string | null | undefined, rules: CallbackRules): string | null {
  // The URL parser would drop tabs and line breaks, and with them the difference between `/` + TAB + `/` and `//`.
  if (!value || /\p{Cc}/u.test(value)) return null;
  const url = parse(value, rules);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return null;
  if (url.username !== "" || url.password !== "" || !rules.allowedOrigins.has(url.origin)) return null;
  if (url.origin === rules.ownOrigin && dropped.has(withoutTrailingSlash(url.pathname))) return null;
  return url.href.length > maxLength ? null : url.href;
}

/** The origin that keeps a callback from being followed, since it is not on the list; null where that is not why. */
export function foreignOrigin(value: string | null, rules: CallbackRules): string | null {
  if (!value || checkCallback(value, rules) !== null || !URL.canParse(value)) return null;
  const { protocol, origin } = new URL(value);
  const isWeb = protocol === "https:" || protocol === "http:";
  return isWeb && !rules.allowedOrigins.has(origin) ? origin : null;
}

function parse(value: string, { defaultRedirectUrl, ownOrigin }: CallbackRules): URL | null {
  if (!value.startsWith("/")) return URL.canParse(value) ? new URL(value) : null;
  const { origin } = new URL(defaultRedirectUrl);
  if (!URL.canParse(value, origin)) return null;
  const url = new URL(value, origin);
  const isOwn = url.origin === origin && own.has(withoutTrailingSlash(url.pathname));
  return isOwn ? new URL(url.pathname + url.search + url.hash, ownOrigin) : url;
}

/**
 * Whether the session cookie gets to where `url` leads: to the server's own host, or into the cookie's domain, and not
 * from https to http. Elsewhere an application never learns of the session and would send the visitor back for ever.
 */
export function cookieReaches(
  url: string,
  { baseUrl, cookieDomain }: { readonly baseUrl: string; readonly cookieDomain: string | null },
): boolean {
  const [target, base] = [new URL(url), new URL(baseUrl)];
  if (base.protocol === "https:" && target.protocol !== "https:") return false;
  if (target.hostname === base.hostname) return true;
  return (
    cookieDomain !== null &&
    (target.hostname === cookieDomain || target.hostname.endsWith(`.${cookieDomain}`))
  );
}
