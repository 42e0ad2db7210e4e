import { isIP } from "node:net";
import { isHostname } from "./listen.ts";
import { quote, parseChoice, accepted, type Parsed, refused } from "./parse.ts";
import type * as publicSuffixes from "./public-suffix.ts";
import { type ConfigReader, readParsed } from "./reader.ts";

export interface CookieSettings {
  readonly cookieDomain: string | null;
  readonly cookieSameSite: "lax" | "none";
}

/** Reads LATCHKEY_COOKIE_DOMAIN and LATCHKEY_COOKIE_SAMESITE. */
export function readCookieSettings(reader: ConfigReader, baseUrl: string | undefined): CookieSettings {
  const host = baseUrl === undefined ? undefined : new URL(baseUrl).hostname;
  const cookieDomain = readParsed<string | null>(
    reader,
    "LATCHKEY_COOKIE_DOMAIN",
    null,
    (text) => parseCookieDomain(text, host),
    (domain) => domain ?? "",
  );
  // `none` forces Secure, which every base URL allows: it is https or on loopback.
  const choices = ["lax", "none"] as const;
  const cookieSameSite = readParsed(reader, "LATCHKEY_COOKIE_SAMESITE", "lax", (text) =>
    parseChoice(text, choices),
  );
  return { cookieDomain, cookieSameSite };
}

/**
 * Parses a cookie's Domain attribute, RFC 6265 §5.2.3 and §5.3.
 * @param host the base URL's, which must lie inside; undefined when that is refused itself.
 */
function parseCookieDomain(text: string, host: string | undefined): Parsed<string> {
  const domain = text.toLowerCase().replace(/^\./, "");
  const remedy = `write ${suggestDomain(host)}, or remove it to keep the cookie on one host`;
  if (isIP(domain.replace(/^\[|\]$/g, "")) !== 0)
    return refused("is an IP address, which no cookie domain can be", remedy);
  if (!isHostname(domain)) return refused(`${quote(text)} is not a domain`, remedy);
  if (!domain.includes("."))
    return refused(`${quote(domain)} is a single label, which browsers refuse`, remedy);
  if (isPublicSuffix(domain)) return refused(`strangers own other names under ${domain}`, remedy);
  if (host === undefined || host === domain || host.endsWith(`.${domain}`)) return accepted(domain);
  return refused(`${domain} does not contain the host of BETTER_AUTH_URL (${host})`, remedy);
}

function suggestDomain(host: string | undefined): string {
  const labels = host === undefined || !isHostname(host) ? [] : host.split(".");
  const parent = labels.length > 2 ? labels.slice(1).join(".") : labels.join(".");
  return parent.includes(".") && !isPublicSuffix(parent)
    ? parent
    : "the parent domain of BETTER_AUTH_URL, such as example.com";
}

/** Required where it is used: a server without a cookie domain starts without the list of all suffixes. */
function isPublicSuffix(domain: string): boolean {
  return (require("./public-suffix.ts") as typeof publicSuffixes).isPublicSuffix(domain);
}
