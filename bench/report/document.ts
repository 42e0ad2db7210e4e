import type { MachineFacts } from "../machine/facts.ts";
import { formatValue } from "./format.ts";
import { goals } from "./goals.ts";
import type { Figure } from "./results.ts";

/** Writes the figures that have a goal as a page in Markdown. */
export function renderDocument(figures: readonly Figure[], machine: MachineFacts, name: string): string {
  const rows = figures.flatMap((figure) => {
    const goal = goals[figure.id];
    if (goal === undefined) return [];
    // What belongs to the line before it is set in by two blanks.
    const title = figure.title.replace(/^ {2}/, "… ");
    const values = [figure.median, goal.goal, goal.bound].map((value) => formatValue(value, figure.unit));
    return [`| ${[title, ...values].join(" | ")} |`];
  });
  return `# The bench's last run

Bun ${machine.bun}, ${machine.cores} cores (${machine.cpu}); ${machine.pinning}. Medians, what we are out for, and what would
not do; [${name}.json](${name}.json) has every round, and [the bench](../README.md) says what each figure is. No answer is old in
any of them: SQLite's rows are kept only until somebody commits a change to them, and a server database is asked at every request.

| figure | median | goal | bound |
| --- | --- | --- | --- |
${rows.join("\n")}
`;
}
