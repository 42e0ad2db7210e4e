import { languageOf } from "../language.ts";
import { languages } from "./views/messages/languages.ts";
import type { Texts } from "./views/texts.tsx";

/** What a visitor reads, by `Accept-Language`. */
export function textsFor(headers: Headers): Texts {
  const { code, locale } = languageOf(headers);
  return { language: code, locale, messages: languages[code] };
}
