import type { MachineFacts } from "../machine/facts.ts";
import type { Figure } from "./results.ts";
import { openSvg, round, text } from "./svg.ts";

interface Bar {
  readonly id: string;
  readonly label: string;
  readonly kind?: "latchkey" | "stock";
}

/** What the chart shows: figures against a bare server, so that all bars stand on one scale. */
const bars: readonly Bar[] = [
  { id: "verify-one-sqlite", label: "verify, SQLite, one session" },
  { id: "verify-rotation-sqlite", label: "verify, SQLite, 10,000 sessions" },
  { id: "verify-rotation-postgres", label: "verify, PostgreSQL, 10,000 sessions" },
  { id: "verify-rotation-neon", label: "verify, Neon driver, 10,000 sessions" },
  { id: "get-session-bare", label: "get-session, SQLite" },
  { id: "stock-bare", label: "get-session, SQLite, stock BetterAuth", kind: "stock" },
];

const width = 760;
const left = 270;
const right = 80;
const top = 62;
const rowHeight = 32;
const barHeight = 18;
const scale = (value: number) => left + Math.min(1, value) * (width - left - right);

/** Draws those of the chart's figures that were measured; undefined without any. Transparent, for light and dark pages. */
export function renderChart(figures: readonly Figure[], machine: MachineFacts): string | undefined {
  const rows = bars.flatMap((bar) => {
    const figure = figures.find(({ id }) => id === bar.id);
    return figure === undefined ? [] : [{ bar, figure }];
  });
  if (rows.length === 0) return undefined;
  const bottom = top + rows.length * rowHeight;
  const height = bottom + 44;
  const subtitle = `1 = a bare Bun.serve that sends the same bytes, same run. Medians; the lines are the rounds' range.`;
  const facts = `Bun ${machine.bun}, ${machine.cores} cores (${machine.cpu}); ${machine.pinning}`;
  return [
    ...openSvg({ width, height }, "Requests a second against a bare server"),
    text(0, 38, "muted", subtitle),
    ...[0, 0.25, 0.5, 0.75, 1].map((value) => gridLine(value, bottom)),
    ...rows.map(({ bar, figure }, index) => renderRow(bar, figure, top + index * rowHeight)),
    text(0, height - 6, "muted", facts),
    "</svg>",
    "",
  ].join("\n");
}

function renderRow({ label, kind = "latchkey" }: Bar, { median, low, high }: Figure, y: number): string {
  const barTop = y + (rowHeight - barHeight) / 2;
  const middle = y + rowHeight / 2;
  const end = Math.max(scale(median), scale(high));
  return [
    text(0, middle + 4, "", label),
    `<rect class="${kind}" x="${left}" y="${barTop}" width="${round(scale(median) - left)}" height="${barHeight}" rx="2"/>`,
    `<line class="range" x1="${round(scale(low))}" x2="${round(scale(high))}" y1="${middle}" y2="${middle}"/>`,
    text(round(end + 8), middle + 4, "value", median.toFixed(median < 0.1 ? 3 : 2)),
  ].join("\n");
}

function gridLine(value: number, bottom: number): string {
  const x = round(scale(value));
  return [
    `<line class="grid" x1="${x}" x2="${x}" y1="${top - 6}" y2="${bottom}"/>`,
    `<text class="muted" x="${x}" y="${bottom + 15}" text-anchor="middle">${value}</text>`,
  ].join("\n");
}
