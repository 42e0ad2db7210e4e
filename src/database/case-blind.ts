import type { Database } from "./database.ts";

/**
 * The pattern that finds a text anywhere in another, in whichever case: for GLOB on SQLite, whose LIKE folds ASCII alone,
 * and for `~` on PostgreSQL, whose ILIKE folds what the database's locale does. Nothing in the text is a wildcard.
 */
export function caseBlindPattern(provider: Database["provider"], text: string): string {
  const characters = Array.from(text.normalize("NFC"), (character) => {
    const cases = [character, character.toLowerCase(), character.toUpperCase()];
    const variants = [...new Set(cases)].filter((one) => [...one].length === 1);
    if (variants.length > 1) return `[${variants.join("")}]`;
    if (provider === "sqlite") return /[*?[]/.test(character) ? `[${character}]` : character;
    return /[!-/:-@[-`{-~]/.test(character) ? `\\${character}` : character;
  });
  return provider === "sqlite" ? `*${characters.join("")}*` : characters.join("");
}
