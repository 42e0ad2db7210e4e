import { parse } from "tldts";
import { isLoopbackOrigin } from "../config/origin.ts";

/** How the session cookie is set. */
export interface CookieScope {
  /** The Domain attribute without a leading dot; null keeps the cookie on one host. */
  readonly cookieDomain: string | null;
  readonly sameSite: "lax" | "none";
}

/** Where the session cookie goes, seen from one trusted origin. */
export interface CookieReach {
  /** HTML's "same origin" and "same site"; what is neither is cross-site. */
  readonly relation: "same origin" | "same site" | "cross-site";
  /** What makes two sites of them; null unless cross-site. */
  readonly division: "scheme" | "loopback names" | "site" | null;
  /**
   * Whether a page of the origin that calls latchkey by `fetch` with credentials takes the cookie along. `blocked by
   * some`: only browsers that allow third-party cookies do, so not Safari, Firefox, Brave and most private windows.
   * Links and redirects to latchkey take a Lax cookie along from anywhere.
   */
  readonly onFetch: "sent" | "withheld" | "blocked by some";
  /** Whether requests to the origin's own host carry the cookie, so that a server there can have it verified. */
  readonly reachesHost: boolean;
}

/**
 * Says what a browser does with the session cookie of `baseUrl` for a page, and for a server, at `origin`.
 * Sites are schemeful (https://html.spec.whatwg.org/#same-site); Domain and host-only matching are RFC 6265 §5.1.3.
 */
export function cookieReach(baseUrl: string, origin: string, scope: CookieScope): CookieReach {
  const base = new URL(baseUrl);
  const other = new URL(origin);
  const division = divisionOf(base, other);
  const relation =
    base.origin === other.origin ? "same origin" : division === null ? "same site" : "cross-site";
  const abroad = scope.sameSite === "lax" ? "withheld" : "blocked by some";
  return {
    relation,
    division,
    onFetch: relation === "cross-site" ? abroad : "sent",
    reachesHost: matchesDomain(base, other, scope) && maySend(base, other, scope),
  };
}

/** The registrable domain, private suffixes such as github.io counted; null for addresses, single labels and suffixes. */
export function registrableDomain(hostname: string): string | null {
  return parse(hostname, { allowPrivateDomains: true }).domain;
}

/** Whether a host's name is rented from a hosting service, so that nothing else of its owner's can stand beside it. */
export function isHosted(hostname: string): boolean {
  return parse(hostname, { allowPrivateDomains: true }).isPrivate === true;
}

/** The narrowest domain that holds both hosts and that a cookie may be set for; null when there is none. */
export function sharedDomain(a: string, b: string): string | null {
  if (registrableDomain(a) === null) return null;
  const [first, second] = [a.split(".").toReversed(), b.split(".").toReversed()];
  let count = 0;
  while (first[count] !== undefined && first[count] === second[count]) count += 1;
  const domain = first.slice(0, count).toReversed().join(".");
  return registrableDomain(domain) === null ? null : domain;
}

function divisionOf(base: URL, other: URL): CookieReach["division"] {
  if (siteOf(base.hostname) !== siteOf(other.hostname)) {
    const bothLocal = isLoopbackOrigin(base.origin) && isLoopbackOrigin(other.origin);
    return bothLocal ? "loopback names" : "site";
  }
  return base.protocol === other.protocol ? null : "scheme";
}

/** Ports do not count. A host without a registrable domain is a site of its own. */
function siteOf(hostname: string): string {
  return registrableDomain(hostname) ?? hostname;
}

function matchesDomain(base: URL, other: URL, { cookieDomain }: CookieScope): boolean {
  if (other.hostname === base.hostname) return true;
  if (cookieDomain === null) return false;
  return other.hostname === cookieDomain || other.hostname.endsWith(`.${cookieDomain}`);
}

/** A Secure cookie goes over https, and to loopback in most browsers. */
function maySend(base: URL, other: URL, { sameSite }: CookieScope): boolean {
  const isSecure = base.protocol === "https:" || sameSite === "none";
  return !isSecure || other.protocol === "https:" || isLoopbackOrigin(other.origin);
}
