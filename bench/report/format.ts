import type { Figure, Unit } from "./results.ts";

/** A value as a person reads it, with its unit. */
export function formatValue(value: number, unit: Unit): string {
  if (Number.isNaN(value)) return "–";
  if (unit === "/s") return `${formatCount(value)}/s`;
  return `${value.toFixed(digitsOf(value, unit))}${unit === "" ? "" : ` ${unit}`}`;
}

export function formatCount(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function digitsOf(value: number, unit: Unit): number {
  if (unit === "MB" || unit === "%") return 1;
  return Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
}

/** The range of the rounds. */
export function formatRange({ low, high, unit }: Figure): string {
  const bare: Unit = unit === "/s" ? "/s" : "";
  const trim = (text: string) => text.replace("/s", "");
  return `${trim(formatValue(low, bare))}–${trim(formatValue(high, bare))}`;
}

/** Columns as wide as their widest cell; the first is set left, the others right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
