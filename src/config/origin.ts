import { isIP } from "node:net";
import { isHostname, isLoopbackHost } from "./listen.ts";
import { quote, accepted, type Parsed, refused } from "./parse.ts";

const EXAMPLE = "write scheme, host and port alone, such as https://docs.example.com";

/** Parses one exact http(s) origin as browsers send it (RFC 6454 §6.2); trailing slashes are stripped. */
export function parseOrigin(text: string): Parsed<string> {
  if (text.includes("@")) return refused("an origin holds no user name or password", EXAMPLE);
  if (text.includes("*")) {
    return refused(
      `${quote(text)} is a wildcard, and any site it matches could act for a visitor`,
      `list every origin: ${EXAMPLE}`,
    );
  }
  if (text.toLowerCase() === "null") {
    return refused(
      '"null" is what any sandboxed frame or local file sends',
      `list the real origin: ${EXAMPLE}`,
    );
  }
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(text) ?? [];
  if (scheme === undefined || rest === undefined) {
    return refused(
      `${quote(text)} has no http:// or https://`,
      `write ${withScheme(text) ?? "https://docs.example.com"}`,
    );
  }
  if (!/^https?$/i.test(scheme)) return refused(`${quote(text)} is neither http nor https`, EXAMPLE);
  return parseAuthority(text, scheme, rest.replace(/\/+$/, ""));
}

export function isLoopbackOrigin(origin: string): boolean {
  return isLoopbackHost(new URL(origin).hostname);
}

/** Whether a URL, or the start of one, is https. */
export function isSecure(url: string): boolean {
  return url.startsWith("https:");
}

/** The exact form of a text that has an origin in it, to be suggested; undefined when there is none. */
export function suggestOrigin(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && isPlainHost(url.hostname) && url.port !== "0" ? url.origin : undefined;
}

function parseAuthority(text: string, scheme: string, authority: string): Parsed<string> {
  const suggestion = suggestOrigin(`${scheme}://${authority}`);
  const remedy = suggestion === undefined ? EXAMPLE : `write ${suggestion}`;
  if (authority === "") return refused(`${quote(text)} has no host`, EXAMPLE);
  if (/[/?#\\]/.test(authority)) return refused(`${quote(text)} has a path, a query or a fragment`, remedy);
  if (/[\s%]/.test(authority) || !URL.canParse(`${scheme}://${authority}`)) {
    return refused(`${quote(text)} is not a valid URL`, EXAMPLE);
  }
  const url = new URL(`${scheme}://${authority}`);
  if (url.hostname.endsWith(".")) {
    return refused(`${quote(text)} ends in a dot`, `write ${url.origin.replace(/\.(?=:\d+$|$)/, "")}`);
  }
  if (!isPlainHost(url.hostname)) return refused(`${quote(text)} has no valid host name`, EXAMPLE);
  if (url.port === "0") return refused(`${quote(text)} has port 0`, "write the real port");
  if (url.origin !== `${scheme}://${authority}`) {
    return refused(`${quote(text)} is not spelled as browsers send it and would never match`, remedy);
  }
  return accepted(url.origin);
}

/** `new URL` lets through host names such as `a{.b` or `a..b`. */
function isPlainHost(hostname: string): boolean {
  return isHostname(hostname) || isIP(hostname.replace(/^\[|\]$/g, "")) !== 0;
}

/** `localhost:3000` → `http://localhost:3000`, `docs.example.com/x` → `https://docs.example.com`. */
function withScheme(text: string): string | undefined {
  const secure = suggestOrigin(`https://${text.replace(/^\/+/, "")}`);
  if (secure === undefined) return undefined;
  const isLocal = isLoopbackOrigin(secure);
  if (!isLocal && !new URL(secure).hostname.includes(".")) return undefined;
  return isLocal ? suggestOrigin(secure.replace("https:", "http:")) : secure;
}
