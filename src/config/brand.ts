import { isLoopbackOrigin } from "./origin.ts";
import { quote, accepted, type Parsed, refused } from "./parse.ts";
import { type ConfigReader, readParsed } from "./reader.ts";

export interface BrandSettings {
  /** At most 40 code points. */
  readonly brandName: string;
  /** A path on the server's own origin, or an absolute URL on a trusted one; never holds user info. */
  readonly brandLogoUrl: string | null;
  /** `#rrggbb`, lower case. */
  readonly brandAccent: string;
}

const nameMaxLength = 40;

/** Reads LATCHKEY_BRAND_NAME, _LOGO_URL and _ACCENT: how the hosted pages look. */
export function readBrand(reader: ConfigReader, origins: readonly string[] | undefined): BrandSettings {
  return {
    brandName: readParsed(reader, "LATCHKEY_BRAND_NAME", "latchkey", parseName),
    brandLogoUrl: readParsed<string | null>(
      reader,
      "LATCHKEY_BRAND_LOGO_URL",
      null,
      (text) => parseLogoUrl(text, origins),
      (url) => url ?? "",
    ),
    brandAccent: readParsed(reader, "LATCHKEY_BRAND_ACCENT", "#3355cc", parseAccent),
  };
}

function parseName(text: string): Parsed<string> {
  const length = [...text].length;
  if (length <= nameMaxLength) return accepted(text);
  return refused(`has ${length} characters`, `write a name of at most ${nameMaxLength} characters`);
}

/** @param origins undefined when the list is refused itself: then only the form is checked. */
function parseLogoUrl(text: string, origins: readonly string[] | undefined): Parsed<string> {
  const remedy =
    "write an https:// address on a trusted origin, or a path that the proxy serves, such as /logo.svg";
  if (/^\/(?![/\\])/.test(text)) return accepted(asPath(text));
  if (!/^https?:\/\/[^/\\]/i.test(text) || !URL.canParse(text)) {
    return refused(`${quote(text)} is neither an https:// address nor a path`, remedy);
  }
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return refused("holds a user name or password", remedy);
  if (url.protocol === "http:" && !isLoopbackOrigin(url.origin)) {
    return refused("is plain http, and anyone on the way could change the picture", remedy);
  }
  if (origins === undefined || origins.includes(url.origin)) return accepted(url.href);
  return refused(
    `lies on ${url.origin}, which is no trusted origin`,
    `move it to ${origins.join(", ")}, or add ${url.origin} to BETTER_AUTH_TRUSTED_ORIGINS`,
  );
}

function asPath(text: string): string {
  const { pathname, search } = new URL(text, "https://own.invalid");
  return pathname + search;
}

function parseAccent(text: string): Parsed<string> {
  if (/^#[0-9a-f]{6}$/i.test(text)) return accepted(text.toLowerCase());
  const digits = /^#?([0-9a-f]{6}|[0-9a-f]{3})$/i.exec(text)?.[1]?.toLowerCase();
  const whole = digits?.length === 3 ? digits.replace(/./g, "$&$&") : digits;
  return refused(`${quote(text)} is not a colour of the form #rrggbb`, `write #${whole ?? "3355cc"}`);
}
