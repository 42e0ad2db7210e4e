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
  /** The same, in the dark. */
  readonly brandAccentDark: string;
  /** Whom people can ask: an e-mail address, or an absolute https URL. */
  readonly contact: string | null;
}

const nameMaxLength = 40;

/** Reads LATCHKEY_BRAND_… and LATCHKEY_CONTACT: how the hosted pages look, and whom they name. */
export function readBrand(reader: ConfigReader, origins: readonly string[] | undefined): BrandSettings {
  const brandAccent = readParsed(reader, "LATCHKEY_BRAND_ACCENT", "#3355cc", parseAccent);
  return {
    brandName: readParsed(reader, "LATCHKEY_BRAND_NAME", "latchkey", parseName),
    brandLogoUrl: readParsed<string | null>(
      reader,
      "LATCHKEY_BRAND_LOGO_URL",
      null,
      (text) => parseLogoUrl(text, origins),
      (url) => url ?? "",
    ),
    brandAccent,
    brandAccentDark: readParsed(reader, "LATCHKEY_BRAND_ACCENT_DARK", brandAccent, parseAccent),
    contact: readParsed<string | null>(
      reader,
      "LATCHKEY_CONTACT",
      null,
      parseContact,
      (contact) => contact ?? "",
    ),
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

function parseContact(text: string): Parsed<string> {
  if (/^[^\s@/:?#&%]+@[^\s@/:?#&%]+\.[^\s@/:?#&%]+$/.test(text)) return accepted(text);
  const url = /^https:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : null;
  if (url !== null && url.username === "" && url.password === "") return accepted(url.href);
  return refused(
    `${quote(text)} is neither an e-mail address nor an https:// address`,
    "write one of those, such as support@example.com",
  );
}
