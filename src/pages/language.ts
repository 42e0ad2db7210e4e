import Negotiator from "negotiator";
import { languages } from "./views/messages/languages.ts";
import type { Texts } from "./views/texts.tsx";

/** How dates are written for those whose browser names the language alone. */
const plainLocales: Readonly<Record<string, string>> = { en: "en-GB" };

const codes = Object.keys(languages);
const headerMaxLength = 512;
const fallback = textsOf("en", "en");

/** What a visitor reads: the first language of `Accept-Language` that is there, dates as its tag says. */
export function textsFor(headers: Headers): Texts {
  const accepted = headers.get("accept-language") ?? "";
  // Nobody speaks so many; a list is sorted, which takes time.
  if (accepted === "" || accepted.length > headerMaxLength) return fallback;
  for (const tag of new Negotiator({ headers: { "accept-language": accepted } }).languages()) {
    if (tag === "*") return fallback;
    const code = tag.split("-")[0]?.toLowerCase() ?? "";
    if (codes.includes(code)) return textsOf(code, tag);
  }
  return fallback;
}

function textsOf(code: string, tag: string): Texts {
  const messages = languages[code];
  if (messages === undefined) throw new TypeError(`no language ${code}`);
  const plain = plainLocales[code] ?? code;
  return { language: code, locale: tag.includes("-") ? localeOf(tag, plain) : plain, messages };
}

/** A tag as `Intl` takes it. */
function localeOf(tag: string, plain: string): string {
  try {
    return Intl.DateTimeFormat.supportedLocalesOf(tag)[0] ?? plain;
  } catch {
    return plain;
  }
}
