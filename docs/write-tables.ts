import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../src/config/load.ts";
import { settingList } from "../src/config/settings.ts";
import { metricList } from "../src/metrics/metrics.ts";
import { codes } from "../src/error-codes.ts";
import { methodsOf, routeList } from "../src/routes.ts";

type Row = readonly string[];

/** The tables that the contract shows and the code declares; `<!-- table: NAME -->` stands before each. */
export const tables: Readonly<Record<string, () => readonly Row[]>> = {
  routes: () => [
    ["path", "methods", "answer"],
    ...routeList.map((route) => [
      `\`${route.path}\``,
      methodsOf(route)
        .map((method) => `\`${method}\``)
        .join(", "),
      route.answer ?? lowered(route.summary),
    ]),
  ],
  codes: () => [
    ["code", "status", "when"],
    ...Object.entries(codes)
      .toSorted(([, one], [, other]) => one.status - other.status)
      .map(([code, { status, when }]) => [`\`${code}\``, String(status), when]),
  ],
  "settings of the contract": () => [
    ["name", "default", "meaning"],
    ...settingList
      .filter(({ aliasOf }) => aliasOf === undefined)
      .map(({ name, meaning, secret }) => [
        `\`${name}\`${secret === true ? " \\*" : ""}`,
        defaultOf(name),
        meaning,
      ]),
  ],
};

/** Those of docs/monitoring.md. */
const operatingTables: typeof tables = {
  metrics: () => [
    ["metric", "kind", "labels", "what it says"],
    ...metricList.map(({ name, type, labels, values, help }) => [
      `\`${name}\``,
      type,
      labels.map((label) => `\`${label}\`${values === undefined ? "" : `: ${spans(values)}`}`).join(", "),
      lowered(help),
    ]),
  ],
};

const spans = (texts: readonly string[]) => texts.map((text) => `\`${text}\``).join(", ");
const lowered = (text: string) => text.slice(0, 1).toLowerCase() + text.slice(1);

/** A default as a document writes it: paths from the working directory, a dash for nothing. */
function defaultOf(name: string): string {
  const valueOn = (cpuCount: number) => {
    const deps = {
      readFile: () => "",
      secretFileRisk: () => null,
      cwd: "/here",
      isTerminal: false,
      cpuCount,
      hasIpv6: () => true,
      platform: "linux",
    };
    return loadConfig({}, deps).settings.find((setting) => setting.name === name)?.value ?? "";
  };
  const value = valueOn(8);
  // More cores, one more of what is counted.
  if (value !== valueOn(9)) return `cores − ${8 - Number(value)}`;
  if (value === "") return "–";
  if (value.startsWith("(")) return value.slice(1, -1);
  return `\`${value.replace(/^file:\/\/\/here\//, "file:./").replace(/^\/here\//, "./")}\``;
}

/** A document with the files of deploy/ as they are, and its tables as the code has them. */
export function withTables(document: string): string {
  return withFiles(document).replaceAll(
    /(<!-- table: ([^>]+) -->\n\n)(?:\|.*\|\n)+/g,
    (whole, marker: string, name: string) => {
      const rows = { ...tables, ...operatingTables }[name]?.();
      if (rows === undefined) return whole;
      const [header = [], ...others] = rows;
      const lines = [header, header.map(() => "---"), ...others].map((row) => `| ${row.join(" | ")} |\n`);
      return marker + lines.join("");
    },
  );
}

/** `<!-- file: deploy/… -->` stands before each. */
function withFiles(document: string): string {
  return document.replaceAll(
    /^(<!-- file: (deploy\/\S+) -->\n\n```\w+\n).*?^```$/gms,
    (_whole, begin: string, path: string) =>
      `${begin}${readFileSync(join(import.meta.dir, "..", path), "utf8")}\`\`\``,
  );
}

if (import.meta.main) {
  for (const name of process.argv.slice(2)) {
    const path = join(import.meta.dir, "..", name);
    writeFileSync(path, withTables(readFileSync(path, "utf8")));
  }
}
