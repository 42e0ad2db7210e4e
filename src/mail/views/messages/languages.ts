import type { LanguageCode } from "../../../language.ts";
import { de } from "./de.ts";
import { en, type MailMessages } from "./en.ts";
import { es } from "./es.ts";
import { fr } from "./fr.ts";
import { ja } from "./ja.ts";

/** The sentences of mails by language. */
export const mailLanguages: Readonly<Record<LanguageCode, MailMessages>> = { en, de, es, fr, ja };
