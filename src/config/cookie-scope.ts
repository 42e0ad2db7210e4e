import { isIP } from "node:net";
import { isHostname } from "./listen.ts";
import { quote, parseChoice, accepted, type Parsed, refused } from "./parse.ts";
import { type ConfigReader, readParsed } from "./reader.ts";

/** Where strangers rent neighbouring names: the common part of https://publicsuffix.org. */
const SHARED_HOSTING = `
  a.run.app amplifyapp.com app.github.dev appspot.com azurecontainerapps.io azurestaticapps.net
  azurewebsites.net blogspot.com cloudapp.net cloudfront.net ddns.net deno.dev duckdns.org
  elasticbeanstalk.com firebaseapp.com fly.dev github.io gitlab.io glitch.me herokuapp.com koyeb.app
  lovable.app netlify.app ngrok-free.app ngrok-free.dev ngrok.app ngrok.dev ngrok.io nip.io now.sh
  ondigitalocean.app onrender.com pages.dev railway.app readthedocs.io render.com repl.co replit.app
  replit.dev sslip.io surge.sh trycloudflare.com ts.net up.railway.app vercel.app web.app workers.dev`
  .trim()
  .split(/\s+/);

/** `co.uk`, `com.au`: what registries sell names under. */
const REGISTRY_SUFFIX = /^(?:ac|co|com|edu|gov|net|org|or|ne)\.[a-z]{2}$/;

export interface CookieSettings {
  readonly cookieDomain: string | null;
  readonly cookieSameSite: "lax" | "none";
}

/** Reads LATCHKEY_COOKIE_DOMAIN and LATCHKEY_COOKIE_SAMESITE. CONTRACT section 2.2. */
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
export function parseCookieDomain(text: string, host: string | undefined): Parsed<string> {
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

function isPublicSuffix(domain: string): boolean {
  return SHARED_HOSTING.includes(domain) || REGISTRY_SUFFIX.test(domain);
}
