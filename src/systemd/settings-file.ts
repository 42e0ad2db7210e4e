/** One line of an environment file. */
export interface SetSetting {
  readonly name: string;
  readonly value: string;
}

/**
 * Sets settings in the text of an environment file: the line of that name counts anew, else the comment that shows it, else
 * a line at the end. All else stays.
 */
export function withSettings(text: string, settings: readonly SetSetting[]): string {
  let lines = text.replace(/\n$/, "").split("\n");
  for (const { name, value } of settings) {
    const line = `${name}=${quoted(value)}`;
    const at = [new RegExp(`^\\s*${name}\\s*=`), new RegExp(`^#\\s*${name}=`)]
      .map((pattern) => lines.findLastIndex((one) => pattern.test(one)))
      .find((index) => index !== -1);
    lines = at === undefined ? [...lines, line] : lines.with(at, line);
  }
  return `${lines.join("\n")}\n`;
}

/** The lines of a text that another has not: what else is in the file stays its owner's secret. */
export function linesSince(text: string, before: string): string {
  const present = new Set(before.split("\n"));
  return text
    .split("\n")
    .filter((line) => !present.has(line))
    .join("\n");
}

/** As systemd.exec(5) reads it back. */
function quoted(value: string): string {
  return /^(?:[\w./:@%+,=<>*-]+(?: [\w./:@%+,=<>*-]+)*)?$/.test(value)
    ? value
    : `"${value.replaceAll(/["\\$`]/g, "\\$&")}"`;
}
