import { readFileSync } from "node:fs";
import { join } from "node:path";

export const projectDirectory = join(import.meta.dir, "..", "..");

/** A fenced block, and the HTML comment before it that says what a test does with it. */
interface CodeBlock {
  /** Of the file, from 1: where the code begins. */
  readonly line: number;
  /** What stands behind the fence, e.g. `sh`. */
  readonly language: string;
  /** `run: tour` of `<!-- run: tour -->`; empty without a comment. */
  readonly marker: string;
  readonly code: string;
}

export interface Table {
  /** `settings` of `<!-- table: settings -->`; empty without a comment. */
  readonly name: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A Markdown file of the project, taken apart as far as its tests need. */
export interface Document {
  /** Relative to the project. */
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly CodeBlock[];
  readonly tables: readonly Table[];
  /** The targets of `[text](target)`, `![text](target)` and `src="target"` outside code. */
  readonly links: readonly string[];
  /** Inline code and the lines of fenced blocks. */
  readonly code: readonly string[];
  /** The fragments that GitHub gives its headings. */
  readonly anchors: readonly string[];
}

export function readDocument(path: string): Document {
  const text = readFileSync(join(projectDirectory, path), "utf8");
  const blocks = blocksOf(text);
  const prose = text.replace(/^```.*?^```$/gms, "");
  return {
    path,
    text,
    blocks,
    tables: tablesOf(prose),
    links: [...prose.replaceAll(/`[^`\n]*`/g, "").matchAll(/\]\(([^)\s]+)\)|\bsrc="([^"]+)"/g)].map(
      ([, target, source]) => target ?? source ?? "",
    ),
    code: [...codeSpans(prose), ...blocks.flatMap(({ code }) => code.split("\n"))],
    anchors: [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading)),
  };
}

/** The table of that name. @throws when it is missing. */
export function requireTable({ path, tables }: Document, name: string): Table {
  const table = tables.find((candidate) => candidate.name === name);
  if (table === undefined) throw new Error(`${path} has no <!-- table: ${name} -->`);
  return table;
}

/** What stands between backquotes. */
export function codeSpans(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map(([, span = ""]) => span);
}

/** A shown output as a pattern: `…` stands for anything within one line. */
export function outputPattern(shown: string): RegExp {
  const parts = shown.trimEnd().split("…");
  return new RegExp(`^${parts.map((part) => RegExp.escape(part)).join("[^\\n]*")}\\n?$`);
}

function blocksOf(text: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  const pattern = /(?:^<!-- ([^>]+) -->\n\n?)?^```(\w*)\n(.*?)^```$/gms;
  for (const { index, 0: whole, 1: marker = "", 2: language = "", 3: code = "" } of text.matchAll(pattern)) {
    const before = text.slice(0, index) + whole.slice(0, whole.indexOf("```"));
    blocks.push({ line: before.split("\n").length + 1, language, marker, code });
  }
  return blocks;
}

function tablesOf(prose: string): Table[] {
  const pattern = /(?:^<!-- table: ([^>]+) -->\n\n?)?((?:^\|.*\|\n)+)/gm;
  return [...prose.matchAll(pattern)].map(([, name = "", body = ""]) => {
    const [header = [], , ...rows] = body.trimEnd().split("\n").map(cellsOf);
    return { name, header, rows };
  });
}

function cellsOf(row: string): string[] {
  return row
    .slice(1, -1)
    .split("|")
    .map((cell) => cell.trim());
}

/** As GitHub makes them: lower case, without punctuation, blanks as hyphens. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}
