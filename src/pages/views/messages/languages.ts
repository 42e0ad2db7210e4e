import { de } from "./de.ts";
import { en, type Messages } from "./en.ts";
import { es } from "./es.ts";
import { fr } from "./fr.ts";
import { ja } from "./ja.ts";

/** The languages of the pages by their code (ISO 639-1), the one for everybody else first. */
export const languages: Readonly<Record<string, Messages>> = { en, de, es, fr, ja };
