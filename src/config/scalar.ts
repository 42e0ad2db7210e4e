import { editDistance } from "./settings.ts";
import { quote } from "./quote.ts";
import { accepted, type Parsed, refused } from "./config.ts";

/** Parses a whole number within bounds, both inclusive. */
export function parseInteger(text: string, minimum: number, maximum: number): Parsed<number> {
  const remedy = `write a whole number from ${minimum} to ${maximum}`;
  if (!/^\d{1,9}$/.test(text)) return refused(`${quote(text)} is not a whole number`, remedy);
  const value = Number(text);
  if (value < minimum) return refused(`${value} is below ${minimum}`, remedy);
  if (value > maximum) return refused(`${value} is above ${maximum}`, remedy);
  return accepted(value);
}

/** Parses one of a few words, in any case. */
export function parseChoice<T extends string>(text: string, choices: readonly T[]): Parsed<T> {
  const word = text.toLowerCase();
  const found = choices.find((choice) => choice === word);
  if (found !== undefined) return accepted(found);
  const near = choices.find((choice) => word.startsWith(choice) || editDistance(word, choice) <= 1);
  const list = choices.join(", ");
  const remedy = near === undefined ? `write one of ${list}` : `write ${near} (one of ${list})`;
  return refused(`${quote(text)} is not one of ${list}`, remedy);
}
