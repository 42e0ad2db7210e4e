import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BASE_ERROR_CODES } from "@better-auth/core/error";
import { tables, withTables } from "../../docs/write-tables.ts";
import { loadConfig } from "../../src/config/load.ts";
import { settingList } from "../../src/config/settings.ts";
import { betterAuthCodes, ownCodes } from "../../src/error-codes.ts";
import { routeList } from "../../src/routes.ts";
import { codeSpans, projectDirectory, readDocument, requireTable } from "../support/readme.ts";

const contract = readDocument("docs/contract.md");
const isRoute = (path: string) => routeList.some((route) => route.path === path);

describe("the contract", () => {
  test("shows the routes, codes and settings that the code declares: bun run docs", () => {
    for (const name of Object.keys(tables))
      expect(requireTable(contract, name).rows.length).toBeGreaterThan(20);
    expect(contract.text).toBe(withTables(contract.text));
  });

  test("would show another table", () => {
    const stale = contract.text.replace("| `/health/live` | `GET`, `HEAD` |", "| `/health/live` | `GET` |");
    expect(stale).not.toBe(contract.text);
    expect(withTables(stale)).toBe(contract.text);
  });

  test("says of no route that it is missing", () => {
    const missing = requireTable(contract, "not yet").rows.flatMap(([what = ""]) =>
      codeSpans(what).filter((span) => span.startsWith("/")),
    );
    expect(missing.length).toBeGreaterThan(0);
    expect(missing.filter(isRoute)).toEqual([]);
  });
});

test("the contract names every event that the log has", () => {
  const rows = contract.tables.flatMap((table) => (table.header[0] === "event" ? table.rows : []));
  const named = new Set(rows.flatMap(([names = ""]) => codeSpans(names)));
  const written = new Set<string>();
  for (const path of new Bun.Glob("src/**/*.{ts,tsx}").scanSync(projectDirectory)) {
    const text = readFileSync(join(projectDirectory, path), "utf8");
    for (const [, rest = ""] of text.matchAll(/\bevent(?:: | = )([^;,}\n]*)/g))
      for (const [, name = ""] of rest.matchAll(/(?<!\bin |")"([a-z]+(?:_[a-z]+)*)"(?! in)/g))
        written.add(name);
  }
  // Made of two parts.
  for (const what of ["origin", "callback"]) written.add(`${what}_refused`);
  expect([...written].toSorted()).toEqual([...named].toSorted());
});

test("a proxy on one host sends latchkey every path that docs/domains.md names, which are all that people open", () => {
  const { text } = readDocument("docs/domains.md");
  const named = codeSpans(/A proxy sends these paths .*?\./s.exec(text)?.[0] ?? "");
  expect(named.length).toBeGreaterThan(8);
  const isNamed = (path: string) =>
    named.some((pattern) => new Bun.Glob(pattern.replace(/\*$/, "**")).match(path));
  const own = ["/", "/health", "/health/live", "/openapi.json"];
  const missing = routeList
    .map(({ path }) => path.replace("{file}", "latchkey-1.css").replaceAll(/\{\w+\}/g, "x"))
    .filter((path) => !isNamed(path) && !own.includes(path));
  expect(missing).toEqual([]);
  const exact = named.filter((path) => !path.includes("*"));
  expect(exact.filter((path) => !isRoute(path))).toEqual([]);
});

describe("the error codes", () => {
  const source = [...new Bun.Glob("src/**/*.{ts,tsx}").scanSync(projectDirectory)]
    .filter(
      (path) => path !== "src/error-codes.ts" && path !== "src/http/openapi.ts" && path !== "src/routes.ts",
    )
    .map((path) => readFileSync(join(projectDirectory, path), "utf8"))
    .join("\n");

  test("are each sent somewhere", () => {
    expect(
      Object.keys(ownCodes).filter((code) => !source.includes(`"${code}"`) && !source.includes(`${code}:`)),
    ).toEqual([]);
  });

  test("of BetterAuth are BetterAuth's", () => {
    const known = new Set([
      ...Object.values(BASE_ERROR_CODES).map(({ code }) => code),
      // Of its endpoints and middlewares, which keep no list.
      "EMAIL_PASSWORD_SIGN_UP_DISABLED",
      "UNAUTHORIZED",
      "INVALID_REDIRECT_URL",
    ]);
    expect(Object.keys(betterAuthCodes).filter((code) => !known.has(code))).toEqual([]);
  });
});

describe("the settings that people set first, in docs/configuration.md", () => {
  const { rows } = requireTable(readDocument("docs/configuration.md"), "settings");
  const documented = rows.map(([name = "", value = ""]) => [codeSpans(name)[0] ?? "", value] as const);

  test("are the contract's, with its defaults, each once", () => {
    const inContract = new Map(
      requireTable(contract, "settings of the contract").rows.map(([name = "", value = ""]) => [
        codeSpans(name)[0] ?? "",
        value,
      ]),
    );
    const names = documented.map(([name]) => name);
    expect(names).toEqual([...new Set(names)]);
    for (const [name, value] of documented) expect([name, inContract.get(name)]).toEqual([name, value]);
    expect(rows.flat().join()).toContain("`CORS_ALLOWED_ORIGINS`");
  });

  test("are marked where they can be read from a file", () => {
    const secret = new Set(
      settingList.flatMap(({ name, secret }) => (secret === true ? [name as string] : [])),
    );
    for (const [name = ""] of rows)
      expect([name, name.endsWith("\\*")]).toEqual([name, secret.has(codeSpans(name)[0] ?? "")]);
  });
});

describe("the settings that the documents propose", () => {
  const blocks = [...new Bun.Glob("docs/*.md").scanSync(projectDirectory)].flatMap(
    (path) => readDocument(path).blocks,
  );
  const proposals = blocks.filter(({ marker }) => marker === "settings").map(({ code }) => code);

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
  return loadConfig(env, {
    readFile: () => "",
    secretFileRisk: () => null,
    cwd: "/here",
    isTerminal: false,
    cpuCount,
    hasIpv6: () => true,
    platform: "linux",
  });
}
