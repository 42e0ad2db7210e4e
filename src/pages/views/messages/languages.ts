import type { LanguageCode } from "../../../language.ts";
import { de } from "./de.ts";
import { en, type Messages } from "./en.ts";
import { es } from "./es.ts";
import { fr } from "./fr.ts";
import { ja } from "./ja.ts";

/** The sentences of the pages by language. */
export const languages: Readonly<Record<LanguageCode, Messages>> = { en, de, es, fr, ja };
