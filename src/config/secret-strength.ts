const MINIMUM_BYTES = 32;

/** 16 random bytes in hex, the weakest text worth accepting, measure at least 85 of their true 128 bits. */
const MINIMUM_BITS = 80;
const MINIMUM_DISTINCT_CHARACTERS = 6;
const ANALYSED_CHARACTERS = 512;

/** Keys that are in print, in lower case. */
const PUBLISHED_KEYS: ReadonlySet<string> = new Set([
  "better-auth-secret-12345678901234567890",
  // FastAPI's tutorial.
  "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
]);

/** What people write where a key belongs; adds no strength. */
const STOCK_PHRASES = new RegExp(
  [
    "change[\\W_]*(?:me|this|it)",
    "replace[\\W_]*(?:me|this)",
    "secret(?:[\\W_]*key)?",
    "better[\\W_]*auth|latchkey",
    "password|passphrase|placeholder|example|default|production|development",
    "keyboard[\\W_]*cat|lorem[\\W_]*ipsum",
    "qwerty(?:uiop)?|asdfgh(?:jkl)?|zxcvbnm?",
  ].join("|"),
  "giu",
);

/** Nothing but words and small numbers between separators; random text mixes cases and digits. */
const WORDS = /^[\W_]*(?:(?:[A-Z]?[a-z]{1,14}|[A-Z]{2,14}|\d{1,4})(?:[\W_]+|$))+$/;

/** Diceware's 7,776 words are 12.9 bits each; a sentence has half of that. */
const BITS_PER_WORD = 8;

/** Says why a key is too weak to sign cookies with, without quoting it; null when it will do. */
export function weaknessOf(secret: string): string | null {
  if (PUBLISHED_KEYS.has(secret.toLowerCase())) return "is an example that everybody knows";
  if (new TextEncoder().encode(secret).byteLength < MINIMUM_BYTES)
    return `is shorter than ${MINIMUM_BYTES} bytes`;
  // The beginning will do, in a time that does not depend on the length of the rest.
  const start = secret.slice(0, ANALYSED_CHARACTERS);
  const own = start.replace(STOCK_PHRASES, "");
  const isStock = own.length < start.length / 2;
  if (isStock && estimateBits(own) < MINIMUM_BITS) return "is a stock phrase";
  const isGuessable = new Set(own).size < MINIMUM_DISTINCT_CHARACTERS || estimateBits(own) < MINIMUM_BITS;
  return isGuessable ? "is too easy to guess (low entropy)" : null;
}

function estimateBits(text: string): number {
  const unit = text.slice(0, periodOf(text));
  if (isSequence(unit)) return 0;
  if (WORDS.test(unit)) return unit.split(/[\W_]+/).length * BITS_PER_WORD;
  return shannonBits(unit);
}

/** The length of the shortest start whose repetition is the text. */
function periodOf(text: string): number {
  for (let period = 1; period <= text.length / 2; period++) {
    if (text.startsWith(text.slice(period))) return period;
  }
  return text.length;
}

/** Mostly neighbours, such as `abcdef…`, `654321` or `aaaabbbb`. */
function isSequence(text: string): boolean {
  let neighbours = 0;
  for (let index = 1; index < text.length; index++) {
    if (Math.abs(text.charCodeAt(index) - text.charCodeAt(index - 1)) <= 1) neighbours++;
  }
  return neighbours > text.length / 2;
}

/** Shannon's entropy of the characters as they occur, times their number. */
function shannonBits(text: string): number {
  const characters = [...text];
  const counts = new Map<string, number>();
  for (const character of characters) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= count * Math.log2(count / characters.length);
  return bits;
}
