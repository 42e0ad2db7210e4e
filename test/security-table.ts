/**
 * Holds what a run of the tests reported against the promises of `docs/security-checklist.md`. A test carries a number
 * when its name, or that of a `describe` around it, has it as a word: `S13: …`, `S10, S11: …`.
 */

/** A line of the checklist. */
export interface Requirement {
  readonly number: string;
  readonly text: string;
}

/** A test as the report has it. */
interface Trial {
  /** Its own name behind those of its describes, the innermost first. */
  readonly name: string;
  readonly file: string;
  outcome: "passed" | "failed" | "skipped";
}

type Result = "held" | "failed" | "not tried";

export interface Verdict extends Requirement {
  readonly result: Result;
  /** For each file, how many tests. */
  readonly files: ReadonlyMap<string, number>;
  readonly databases: readonly string[];
}

/** @returns each number that a name carries, once. */
export function numbersIn(name: string): string[] {
  return [...new Set([...name.matchAll(/(?<![\w-])S[1-9]\d?(?![\w-])/g)].map(([number]) => number))];
}

/** @param markdown the checklist's: `| S1 | what must hold | where it is tried |`. */
export function readRequirements(markdown: string): Requirement[] {
  return [...markdown.matchAll(/^\| (S\d+) \| (.+?) \|/gm)].map(([, number = "", text = ""]) => ({
    number,
    text,
  }));
}

/** @param junit what `bun test --reporter=junit` wrote. */
export function readTrials(junit: string): Trial[] {
  const trials: Trial[] = [];
  new HTMLRewriter()
    .on("testcase", {
      element(element) {
        const attribute = (name: string) => decodeEntities(element.getAttribute(name) ?? "");
        const name = [attribute("classname"), attribute("name")].filter((part) => part !== "").join(" > ");
        trials.push({ name, file: attribute("file"), outcome: "passed" });
      },
    })
    // HTML knows no `<testcase />`, and sees each inside the one before: what follows a test is the last one's.
    .on("failure, error, skipped", {
      element({ tagName }) {
        const last = trials.at(-1);
        if (last !== undefined) last.outcome = tagName === "skipped" ? "skipped" : "failed";
      },
    })
    .transform(junit);
  return trials;
}

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** XML's five and the numbered ones; each once, so that `&amp;lt;` is `&lt;`. */
function decodeEntities(text: string): string {
  return text.replaceAll(/&(?:#x([\da-f]+)|#(\d+)|([a-z]+));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return entities[name] ?? whole;
    return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16));
  });
}

export function judge(requirements: readonly Requirement[], trials: readonly Trial[]): Verdict[] {
  return requirements.map((requirement) => {
    const { number } = requirement;
    const own = trials.filter(({ name }) => numbersIn(name).includes(number));
    const files = Map.groupBy(own, ({ file }) => file);
    return {
      ...requirement,
      result: resultOf(own),
      files: new Map([...files].sort().map(([file, ofFile]) => [file, ofFile.length])),
      databases: ["sqlite", "postgres", "neon"].filter((database) =>
        own.some(({ name }) => databasePattern(database).test(name)),
      ),
    };
  });
}

function resultOf(trials: readonly Trial[]): Result {
  if (trials.some(({ outcome }) => outcome === "failed")) return "failed";
  if (trials.length === 0 || trials.some(({ outcome }) => outcome === "skipped")) return "not tried";
  return "held";
}

/** The database's name as a word, PostgreSQL's in full too, and no part of an address. */
function databasePattern(database: string): RegExp {
  return new RegExp(String.raw`(?<![\w.:/-])${database}(?:ql)?(?![\w:/-]|\.\w)`, "i");
}

/** @returns those that must have a test and have none that ran. */
export function untried(verdicts: readonly Verdict[]): Verdict[] {
  return verdicts.filter(({ result }) => result === "not tried");
}

export function firstLine(verdicts: readonly Verdict[]): string {
  const held = verdicts.filter(({ result }) => result === "held").length;
  return `${held} of ${verdicts.length} hold`;
}

export function renderTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ number, text, files, databases, result }) => {
    const tests = [...files].map(([file, count]) => `${file.replace(/^test\//, "")} (${count})`);
    return `| ${number} | ${text} | ${tests.join("<br>") || "–"} | ${databases.join(", ") || "–"} | ${result} |`;
  });
  return [
    firstLine(verdicts),
    "",
    "| number | requirement | tests | databases | result |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}
