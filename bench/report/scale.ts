import type { MachineFacts } from "../machine/facts.ts";
import { formatRange, formatValue } from "./format.ts";
import type { Comparison, Results } from "./results.ts";

/** Writes the figures of ten million sessions, and the model's beside what was measured, as a page in Markdown. */
export function renderScale(
  { figures, comparisons }: Pick<Results, "figures" | "comparisons">,
  machine: MachineFacts,
  name: string,
): string {
  const rows = figures.map((figure) => [
    figure.title.replace(/^ {2}/, "… "),
    formatValue(figure.median, figure.unit),
    formatRange(figure),
  ]);
  const compared = comparisons.map((one) => [
    one.point,
    one.isCalibration ? "calibrates" : "checks",
    one.quantity,
    formatValue(one.predicted, one.unit),
    formatValue(one.measured, one.unit),
    formatError(one),
  ]);
  return `# Ten million sessions

Bun ${machine.bun}, ${machine.cores} cores (${machine.cpu}); ${machine.pinning}. [${name}.json](${name}.json) has every round, and
[docs/scale.md](../../docs/scale.md) says what the model is.

${markdownTable(["figure", "median", "range"], rows)}

${markdownTable(["point", "", "quantity", "model", "measured", "error"], compared)}
`;
}

/** How far the model is off: +10 % is a tenth too much. */
export function formatError({ predicted, measured }: Pick<Comparison, "predicted" | "measured">): string {
  const error = (predicted / measured - 1) * 100;
  return Number.isFinite(error) ? `${error < 0 ? "−" : "+"}${Math.abs(error).toFixed(0)} %` : "–";
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
