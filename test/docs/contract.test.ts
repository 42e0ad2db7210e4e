import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BASE_ERROR_CODES } from "@better-auth/core/error";
import { loadConfig } from "../../src/config/load.ts";
import { PLAIN_NAMES, SECRET_NAMES } from "../../src/config/settings.ts";
import { routes } from "../../src/http/routes.ts";
import { codeSpans, projectDirectory, readDocument, requireTable } from "../support/readme.ts";

const contract = readDocument("docs/contract.md");

describe("the contract's routes", () => {
  test("are the server's, each with its methods", () => {
    const documented = requireTable(contract, "routes").rows.map(
      ([path = "", methods = ""]) => [codeSpans(path)[0], codeSpans(methods)] as const,
    );
    expect(new Map(documented)).toEqual(new Map(routes) as Map<string | undefined, string[]>);
    expect(documented.length).toBe(routes.size);
  });

  test("do not exist where the contract says so", () => {
    const missing = requireTable(contract, "not yet").rows.flatMap(([what = ""]) =>
      codeSpans(what).filter((span) => span.startsWith("/")),
    );
    expect(missing.length).toBeGreaterThan(0);
    expect(missing.filter((path) => routes.has(path))).toEqual([]);
  });

  test("hold every route that the README names", () => {
    const named = readDocument("README.md").tables.flatMap(({ header, rows }) =>
      header[0] === "route" ? rows.flatMap(([paths = ""]) => codeSpans(paths)) : [],
    );
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((path) => !routes.has(path))).toEqual([]);
  });
});

describe("the contract's error codes", () => {
  const documented = requireTable(contract, "codes").rows.map(([code = "", status]) => [
    codeSpans(code)[0] ?? "",
    status,
  ]);

  test("are the server's", () => {
    const code = [...codesInSource().keys()].filter((name) => !isUpstreamOnly(name));
    expect(documented.map(([name = ""]) => name).sort()).toEqual(code.sort());
  });

  test("have the statuses that they are sent with", () => {
    const sent = codesInSource();
    const wrong = documented.filter(([name = "", status]) => {
      const known = sent.get(name);
      return known !== undefined && known !== 0 && String(known) !== status;
    });
    expect(wrong).toEqual([]);
  });
});

describe.each(["README.md", "docs/contract.md"])("the settings in %s", (path) => {
  const { rows } = requireTable(readDocument(path), "settings");
  const documented = rows.map(([name = "", value = ""]) => [codeSpans(name)[0] ?? "", value] as const);

  test("are the names that the code reads, each once", () => {
    const read: readonly string[] = [
      ...SECRET_NAMES,
      ...PLAIN_NAMES.filter((name) => name !== "CORS_ALLOWED_ORIGINS"),
    ];
    expect(documented.map(([name]) => name).sort()).toEqual([...read].sort());
    expect(rows.flat().join()).toContain("`CORS_ALLOWED_ORIGINS`");
  });

  test("have the defaults that the code has", () => {
    const known = new Map(settingsOf(8).map(({ name, value }) => [name, shown(value)] as const));
    const wrong = documented.filter(([name, value]) => value.replace(/^`(.*)`$/, "$1") !== known.get(name));
    expect(wrong).toEqual([["LATCHKEY_HASH_CONCURRENCY", "cores − 1"]]);
    expect([1, 2, 8].map((cpuCount) => settingOf(cpuCount, "LATCHKEY_HASH_CONCURRENCY"))).toEqual([
      "1",
      "1",
      "7",
    ]);
  });
});

test("the README marks the names that can be read from a file", () => {
  const { rows } = requireTable(readDocument("README.md"), "settings");
  const marked = rows
    .filter(([name = ""]) => name.endsWith("\\*"))
    .map(([name = ""]) => codeSpans(name)[0] ?? "");
  expect(marked.sort()).toEqual([...SECRET_NAMES].sort());
});

describe("the settings that the README proposes", () => {
  const { blocks } = readDocument("README.md");
  const unit = blocks.find(({ marker }) => marker === "unit")?.code ?? "";
  const proposals = [
    ...blocks.filter(({ marker }) => marker === "settings").map(({ code }) => code),
    [...unit.matchAll(/^Environment=(.*)$/gm)].map(([, assignment]) => assignment).join("\n"),
  ];

  test.each(proposals)("are taken without a complaint:\n%s", (code) => {
    const env = Object.fromEntries(
      code
        .trim()
        .split("\n")
        .map((line) => line.split("=", 2)),
    );
    expect(Object.keys(env).length).toBeGreaterThan(0);
    expect(load(env, 8).warnings).toEqual([]);
  });
});

function load(env: Record<string, string>, cpuCount: number) {
  return loadConfig(env, { readFile: () => "", cwd: "/here", isTerminal: false, cpuCount });
}

function settingsOf(cpuCount: number) {
  return load({}, cpuCount).settings;
}

function settingOf(cpuCount: number, name: string): string | undefined {
  return settingsOf(cpuCount).find((setting) => setting.name === name)?.value;
}

/** A default as a document writes it: paths from the working directory, a dash for nothing. */
function shown(value: string): string {
  if (value === "") return "–";
  return value
    .replace(/^file:\/\/\/here\//, "file:./")
    .replace(/^\/here\//, "./")
    .replace(/^\((.*)\)$/, "$1");
}

/** Every code that the server's own answers can carry, with its status, or 0 where that stands elsewhere. */
function codesInSource(): Map<string, number> {
  const codes = new Map<string, number>();
  for (const file of new Bun.Glob("src/{auth,http,session}/*.ts").scanSync(projectDirectory))
    collect(file, codes);
  for (const name of ["src/app.ts", "src/server.ts", "src/database/store-error.ts"]) collect(name, codes);
  return codes;
}

function collect(file: string, codes: Map<string, number>): void {
  const text = readFileSync(join(projectDirectory, file), "utf8");
  for (const [, name = ""] of text.matchAll(/(?:code: |"|\| )"?([A-Z]+(?:_[A-Z]+)+|STARTING)"/g)) {
    if (!/^SQLITE_|^UNPROCESSABLE_ENTITY$/.test(name)) codes.set(name, codes.get(name) ?? 0);
  }
  for (const [, name = ""] of text.matchAll(/BASE_ERROR_CODES\.(\w+)/g)) codes.set(name, 422);
  for (const [, status, name = ""] of text.matchAll(/new AppError\(\s*(\d{3}),\s*"(\w+)"/g))
    codes.set(name, Number(status));
  for (const [, name = ""] of text.matchAll(/invalid\(\s*"(\w+)"/g)) codes.set(name, 400);
}

/** Names of BetterAuth's that the source compares with, and never sends itself. */
function isUpstreamOnly(name: string): boolean {
  return name === "USER_ALREADY_EXISTS" && name in BASE_ERROR_CODES;
}
