/** The result of parsing one value. A reason and a remedy are fit to print. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string; readonly remedy: string };

export function accepted<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function refused(reason: string, remedy: string): Parsed<never> {
  return { ok: false, reason, remedy };
}

/** A value as it may be printed in a problem: quoted, short, and never when it may hold credentials. */
export function quote(text: string): string {
  if (text.includes("@")) return "the value (not shown, it may hold a password)";
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

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

/** Levenshtein's distance. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
