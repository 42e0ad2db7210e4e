import Negotiator from "negotiator";

/** The languages of pages and mails (ISO 639-1), the one for everybody else first. */
export const languageCodes = ["en", "de", "es", "fr", "ja"] as const;

export type LanguageCode = (typeof languageCodes)[number];

/** What somebody reads, and how dates and numbers are written for them. */
export interface Language {
  /** Of the sentences. */
  readonly code: LanguageCode;
  /** Of dates and durations, BCP 47: `en-GB`. */
  readonly locale: string;
}

/** How dates are written for those whose browser names the language alone. */
const plainLocales: Readonly<Record<string, string>> = { en: "en-GB" };

const headerMaxLength = 512;
const fallback: Language = { code: "en", locale: "en-GB" };

/** The first language of `Accept-Language` that is there, dates as its tag says. */
export function languageOf(headers: Headers): Language {
  const accepted = headers.get("accept-language") ?? "";
  // Nobody speaks so many; a list is sorted, which takes time.
  if (accepted === "" || accepted.length > headerMaxLength) return fallback;
  for (const tag of new Negotiator({ headers: { "accept-language": accepted } }).languages()) {
    if (tag === "*") return fallback;
    const code = languageCode(tag.split("-")[0]?.toLowerCase());
    if (code !== undefined) return languageBy(code, tag);
  }
  return fallback;
}

/** A code that is one of ours; undefined for another. */
export function languageCode(text: string | undefined): LanguageCode | undefined {
  return languageCodes.find((code) => code === text);
}

function languageBy(code: LanguageCode, tag: string): Language {
  const plain = plainLocales[code] ?? code;
  return { code, locale: tag.includes("-") ? localeOf(tag, plain) : plain };
}

/** A tag as `Intl` takes it. */
function localeOf(tag: string, plain: string): string {
  try {
    return Intl.DateTimeFormat.supportedLocalesOf(tag)[0] ?? plain;
  } catch {
    return plain;
  }
}
