/** One of the generated secrets. */
export interface ListedSecret {
  readonly secret: string;
  /** Since when it signs, in ms since the epoch; null for one that was made with the file, or that never signed. */
  readonly since: number | null;
  /** How long sessions may have lived when this one took over, in seconds, as far as that was known. */
  readonly sessionMaxAgeSeconds?: number;
}

/**
 * What a list begins with. A latchkey that knows no lists takes the file for one secret, and one that begins with as many
 * equal characters as `weaknessOf` looks at for none: it refuses to start, where it would sign everybody out.
 */
const header = `${"#".repeat(512)}\n# The secrets of latchkey, the newest first: latchkey secret rotate\n`;
const entry = /^(\S{32,})(?: (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)(?: (\d{1,10}))?)?$/;

/** Reads what the generated file holds: one secret alone, or a list, the one that signs first. @returns null where it is neither. */
export function parseSecretList(text: string): readonly ListedSecret[] | null {
  if (!text.startsWith(header)) return text.trim() === "" ? null : [{ secret: text.trim(), since: null }];
  const lines = text.slice(header.length).trimEnd().split("\n");
  const found = lines.flatMap((line) => {
    const [, secret, since, maxAge] = entry.exec(line) ?? [];
    const known = maxAge === undefined ? {} : { sessionMaxAgeSeconds: Number(maxAge) };
    return secret === undefined
      ? []
      : [{ secret, since: since === undefined ? null : Date.parse(since), ...known }];
  });
  return found.length === lines.length ? found : null;
}

/** One secret stands alone, as every version reads it. @returns null where one of several could not be read again. */
export function formatSecretList(list: readonly ListedSecret[]): string | null {
  const [first] = list;
  if (list.length === 1 && first !== undefined) return `${first.secret}\n`;
  const lines = list.map(({ secret, since, sessionMaxAgeSeconds: maxAge }) =>
    [
      secret,
      ...(since === null ? [] : [new Date(since).toISOString()]),
      ...(since === null || maxAge === undefined ? [] : [maxAge]),
    ].join(" "),
  );
  return lines.every((line) => entry.test(line)) ? `${header}${lines.join("\n")}\n` : null;
}
