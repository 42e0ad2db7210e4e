import type { Listen } from "./listen.ts";
import { isLoopbackHost } from "./listen.ts";
import { isLoopbackOrigin, isSecure, parseOrigin, suggestOrigin } from "./origin.ts";
import type { ConfigReader, Entry } from "./reader.ts";
import { accepted, type Parsed, refused } from "./parse.ts";

/** Where Docusaurus, latchkey itself, FastAPI, Vite, Astro and many others listen. */
const LOOPBACK_ORIGINS = [3000, 3001, 8000, 5173, 4321, 8080].map((port) => `http://localhost:${port}`);

/** The base URL when none is given. Port 0 stands in it until `withPort`. */
function defaultBaseUrl(port: number): string {
  return new URL(`http://localhost:${port}`).origin;
}

/** Reads BETTER_AUTH_URL; undefined when it is refused. */
export function readBaseUrl(reader: ConfigReader, listen: Listen): string | undefined {
  const entry = reader.entry("BETTER_AUTH_URL");
  if (entry === undefined) {
    if (reader.isRejected("BETTER_AUTH_URL")) return undefined;
    if (!isLoopbackHost(listen.host) && !reader.isRejected("HOST")) {
      reader.warn(
        `HOST=${listen.host} is open to other machines, but links point to localhost: set BETTER_AUTH_URL`,
      );
    }
    const baseUrl = defaultBaseUrl(listen.port);
    reader.record("BETTER_AUTH_URL", baseUrl, undefined);
    return baseUrl;
  }
  const parsed = parseBaseUrl(entry.text, listen.port);
  if (!parsed.ok) {
    reader.reject("BETTER_AUTH_URL", parsed.reason, parsed.remedy);
    return undefined;
  }
  reader.record("BETTER_AUTH_URL", parsed.value, entry);
  return parsed.value;
}

function parseBaseUrl(text: string, port: number): Parsed<string> {
  const parsed = parseOrigin(text);
  if (!parsed.ok || isSecure(parsed.value) || isLoopbackOrigin(parsed.value)) return parsed;
  const isUnspecified = ["0.0.0.0", "[::]"].includes(new URL(parsed.value).hostname);
  const remedy = isUnspecified
    ? `write ${defaultBaseUrl(port === 0 ? 3001 : port)}, or the https:// URL that browsers open`
    : `write ${parsed.value.replace("http:", "https:")}, and have latchkey speak https (LATCHKEY_TLS) or put a proxy with a certificate in front`;
  return refused(
    "is plain http on a host that is not this machine, where anyone on the way can read the cookies",
    remedy,
  );
}

/** Reads the trusted origins, own origin included; undefined when one is refused. */
export function readTrustedOrigins(
  reader: ConfigReader,
  baseUrl: string | undefined,
): readonly string[] | undefined {
  const main = reader.entry("BETTER_AUTH_TRUSTED_ORIGINS");
  const alias = reader.entry("CORS_ALLOWED_ORIGINS");
  const mainOrigins = main && parseOrigins(reader, main);
  const aliasOrigins = alias && parseOrigins(reader, alias);
  if (mainOrigins && aliasOrigins && !isSameSet(mainOrigins, aliasOrigins)) {
    const remedy = "keep BETTER_AUTH_TRUSTED_ORIGINS and remove CORS_ALLOWED_ORIGINS";
    reader.reject(
      "CORS_ALLOWED_ORIGINS",
      "differs from BETTER_AUTH_TRUSTED_ORIGINS, of which it is an alias",
      remedy,
    );
  }
  if (reader.isRejected("BETTER_AUTH_TRUSTED_ORIGINS") || reader.isRejected("CORS_ALLOWED_ORIGINS"))
    return undefined;
  if (baseUrl === undefined) return undefined;
  const configured = mainOrigins ?? aliasOrigins;
  if (configured !== undefined) warnOfWeakOrigins(reader, baseUrl, configured);
  const chosen = configured ?? (isLoopbackOrigin(baseUrl) ? LOOPBACK_ORIGINS : []);
  const origins = [...new Set([...chosen, baseUrl])];
  reader.record("BETTER_AUTH_TRUSTED_ORIGINS", origins.join(","), main ?? alias);
  return origins;
}

/** A problem for every bad entry. */
function parseOrigins(reader: ConfigReader, entry: Entry): readonly string[] {
  const texts = entry.text.split(",").flatMap((text) => text.trim() || []);
  if (/^\[[^:]/.test(entry.text)) {
    reader.reject(
      entry.variable,
      "is a JSON list",
      "separate the origins by commas, without brackets and quotes",
    );
    return [];
  }
  if (texts.length === 0) {
    reader.reject(
      entry.variable,
      "lists no origin",
      "write https://docs.example.com, or remove the variable",
    );
  }
  return texts.flatMap((text) => {
    const parsed = parseOrigin(text);
    if (parsed.ok) return parsed.value;
    reader.reject(entry.variable, parsed.reason, parsed.remedy);
    return [];
  });
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.every((origin) => b.includes(origin)) && b.every((origin) => a.includes(origin));
}

function warnOfWeakOrigins(reader: ConfigReader, baseUrl: string, origins: readonly string[]): void {
  for (const origin of origins) {
    if (isLoopbackOrigin(origin)) {
      if (isLoopbackOrigin(baseUrl)) continue;
      reader.warn(
        `trusted origin ${origin}: whatever serves that port on a visitor's machine can act for them`,
      );
    } else if (origin.startsWith("http:")) {
      reader.warn(
        `trusted origin ${origin} is plain http: whoever can change its traffic can act for its visitors`,
      );
    }
  }
}

/** Reads LATCHKEY_DEFAULT_REDIRECT_URL; the first trusted origin unless set. `origins` is never empty. */
export function readDefaultRedirectUrl(
  reader: ConfigReader,
  baseUrl: string | undefined,
  origins: readonly string[] | undefined,
): string | undefined {
  const entry = reader.entry("LATCHKEY_DEFAULT_REDIRECT_URL");
  const fallback = origins?.[0] ?? baseUrl;
  const parsed = entry === undefined ? undefined : parseRedirectUrl(entry.text, origins);
  if (parsed?.ok === false) {
    reader.reject("LATCHKEY_DEFAULT_REDIRECT_URL", parsed.reason, parsed.remedy);
    return undefined;
  }
  const value = parsed?.value ?? fallback;
  if (value !== undefined) reader.record("LATCHKEY_DEFAULT_REDIRECT_URL", value, entry);
  return value;
}

/** Without a list (it was refused itself) only the form is checked. */
function parseRedirectUrl(text: string, origins: readonly string[] | undefined): Parsed<string> {
  const remedy = `write an absolute URL such as ${origins?.[0] ?? "https://docs.example.com"}/welcome`;
  // The text itself must show the scheme: `new URL` also reads `https:docs.example.com`.
  if (!/^https?:\/\/[^/\\]/i.test(text) || !URL.canParse(text))
    return refused("is not an absolute http(s) URL", remedy);
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return refused("holds a user name or password", remedy);
  if (origins === undefined || origins.includes(url.origin)) return accepted(url.href);
  const addition = suggestOrigin(url.origin) ?? "its origin";
  return refused(
    `leads to ${addition}, which is no trusted origin`,
    `add ${addition} to BETTER_AUTH_TRUSTED_ORIGINS, or write a URL on ${origins.join(", ")}`,
  );
}
