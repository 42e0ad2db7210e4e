import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

interface SourceFile {
  /** Relative to the project, e.g. `src/app.ts`. */
  readonly path: string;
  readonly text: string;
}

const project = join(import.meta.dir, "..");
const maxLines = 320;

const sources: readonly SourceFile[] = [...new Bun.Glob("src/**/*.{ts,tsx,js}").scanSync(project)]
  .sort()
  .map((path) => ({ path, text: readFileSync(join(project, path), "utf8") }));

/** The modules that a file names in `import`, `export … from` and `import()`, types included. */
function importsOf({ path, text }: SourceFile): string[] {
  const statements = /^(?:import|export)\b(?:[^;"']*?\bfrom)?\s*"([^"]+)"/gm;
  const calls = /\bimport\(\s*"([^"]+)"/g;
  return [statements, calls].flatMap((pattern) =>
    [...text.matchAll(pattern)].map(([, name = ""]) =>
      name.startsWith(".") ? normalize(join(dirname(path), name)) : name,
    ),
  );
}

/** A file's text without comments; strings stay, so a rule's pattern must not occur in one either. */
function code(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "$1");
}

const isPackage = (name: string, ...packages: readonly string[]) =>
  packages.some((wanted) => name === wanted || name.startsWith(`${wanted}/`));
const isDriver = (name: string) =>
  isPackage(name, "bun:sqlite", "@neondatabase/serverless", "drizzle-orm", "pg", "postgres");
const importsBunSql = ({ text }: SourceFile) =>
  /^import\b[^;]*\bSQL\b[^;]*from "bun";/m.test(text) || /\bBun\.(?:SQL|sql)\b/.test(code(text));

interface Rule {
  readonly says: string;
  /** Where it does not apply. */
  readonly owners: RegExp;
  readonly broken: (file: SourceFile) => boolean;
}

const owned: readonly Rule[] = [
  {
    says: "the environment is main.ts's",
    owners: /^src\/main\.ts$/,
    broken: ({ text }) => /\b(?:process|Bun|import\.meta)\.env\b/.test(code(text)),
  },
  {
    says: "the process ends in main.ts alone",
    owners: /^src\/main\.ts$/,
    broken: ({ text }) => /\bprocess\.(?:exit|abort|reallyExit)\b/.test(code(text)),
  },
  {
    says: "BetterAuth is auth's",
    owners: /^src\/auth\/[^/]+\.ts$/,
    broken: (file) =>
      importsOf(file).some((name) => isPackage(name, "better-auth", "@better-auth", "better-call")),
  },
  {
    says: "database drivers are database's",
    owners: /^src\/database\/.+\.ts$/,
    broken: (file) => importsOf(file).some(isDriver) || importsBunSql(file),
  },
  {
    says: "Elysia is app.ts's",
    owners: /^src\/app\.ts$/,
    broken: (file) => importsOf(file).some((name) => isPackage(name, "elysia", "@elysiajs")),
  },
  {
    says: "classes are errors, but for what a library wants to be extended",
    owners: /^src\/(?:auth\/limiter|database\/neon-log-in)\.ts$/,
    broken: ({ text }) =>
      [...code(text).matchAll(/^\s*(?:export )?(?:abstract )?class \w+([^{]*)/gm)].some(
        ([, heritage = ""]) => !/\bextends (?:App)?Error\b/.test(heritage),
      ),
  },
  {
    says: "there are no barrels",
    owners: /^$/,
    broken: ({ path, text }) => /(?:^|\/)index\.[jt]sx?$/.test(path) || /^export \*/m.test(code(text)),
  },
  {
    says: `a file has at most ${maxLines} lines`,
    owners: /^$/,
    broken: ({ text }) => text.trimEnd().split("\n").length > maxLines,
  },
  {
    says: "nothing in src knows the tests, the bench or the examples",
    owners: /^$/,
    broken: (file) => importsOf(file).some((name) => /^(?:test|bench|examples|docs)\//.test(name)),
  },
];

/** The area of a file: its folder below src, or its own name. */
const areaOf = (path: string) => /^src\/(pages\/views|[^/.]+)/.exec(path)?.[1] ?? path;
const rankOf = (area: string) => areas.findIndex((known) => known === area);

/**
 * The areas from the top down. A file imports from its own area and from those below it. `pages/views` is an area apart
 * from the handlers in `pages`.
 */
const areas = [
  "main",
  "cli",
  "upgrade",
  "doctor",
  "tls",
  "workers",
  "service",
  "mail",
  "metrics",
  "systemd",
  "unix-socket",
  "server",
  "connection-cap",
  "app",
  "pages",
  "accounts",
  "front",
  "http",
  "auth",
  "session",
  "database",
  "keyring",
  "data-directory",
  "log",
  "log-pretty",
  "log-writer",
  "config",
  "durable-file",
  "file-lock",
  "libc",
  "backup-folder",
  "errors",
  "routes",
  "error-codes",
  "backup-figures",
  "certificate-figures",
  "bounded-map",
  "deadline",
  "hedge",
  "lately",
  "let-others-run",
  "environment",
  "pages/views",
  "language",
  "text-imports",
] as const;

function layerProblems(files: readonly SourceFile[]): string[] {
  const problems: string[] = [];
  for (const file of files) {
    for (const rule of owned)
      if (!rule.owners.test(file.path) && rule.broken(file)) problems.push(`${file.path}: ${rule.says}`);
    const area = areaOf(file.path);
    if (rankOf(area) === -1) problems.push(`${file.path}: ${area} is no area`);
    for (const name of importsOf(file)) {
      if (!name.startsWith("src/")) continue;
      const known = areaOf(name);
      if (known !== area && rankOf(known) <= rankOf(area))
        problems.push(`${file.path}: ${area} does not know ${known}`);
    }
  }
  return [...problems, ...cyclesOf(files)];
}

/** Every way in which a file, by way of others, imports itself; types count. */
function cyclesOf(files: readonly SourceFile[]): string[] {
  const graph = new Map(files.map((file) => [file.path, importsOf(file)]));
  const finished = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    const start = trail.indexOf(path);
    if (start !== -1) cycles.push([...trail.slice(start), path].join(" → "));
    if (start !== -1 || finished.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    finished.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return cycles;
}

describe("the layers of src", () => {
  test("hold", () => {
    expect(layerProblems(sources)).toEqual([]);
  });

  test("are read from every import that the runtime sees", () => {
    expect(sources.length).toBeGreaterThan(80);
    for (const { path, text } of sources) {
      // Declarations are nothing to the runtime.
      if (path.endsWith(".d.ts")) continue;
      const loader = path.endsWith("x") ? "tsx" : "ts";
      const seen = new Bun.Transpiler({ loader }).scanImports(text);
      const own = importsOf({ path, text });
      const missed = seen
        .map(({ path: name }) => (name.startsWith(".") ? normalize(join(dirname(path), name)) : name))
        // The runtime's own addition to a file with elements in it.
        .filter((name) => !own.includes(name) && !/^(?:preact|react)\b/.test(name));
      expect({ path, missed }).toEqual({ path, missed: [] });
    }
  });

  const lines = (count: number) => "x();\n".repeat(count);
  test.each([
    ["src/http/x.ts", "the environment", "const a = process.env;"],
    ["src/cli/x.ts", "the environment", "const a = Bun.env['X'];"],
    ["src/cli/x.ts", "the process ends", "process.exit(1);"],
    ["src/http/x.ts", "BetterAuth is", 'import { betterAuth } from "better-auth/minimal";'],
    ["src/http/x.ts", "BetterAuth is", 'import type {\n  A,\n} from "@better-auth/core/error";'],
    ["src/session/verifier.ts", "drivers", 'import { Database } from "bun:sqlite";'],
    ["src/auth/x.ts", "drivers", 'import { eq } from "drizzle-orm";'],
    ["src/cli/x.ts", "drivers", 'import { SQL } from "bun";'],
    ["src/cli/x.ts", "drivers", "const a = new Bun.SQL(url);"],
    ["src/cli/x.ts", "drivers", 'const a = await import("@neondatabase/serverless");'],
    ["src/service.ts", "Elysia is", 'import { Elysia } from "elysia";'],
    ["src/http/x.ts", "classes are", "export class Store {}"],
    ["src/http/x.ts", "classes are", "class Pool extends Store {}"],
    ["src/http/index.ts", "no barrels", ""],
    ["src/http/x.ts", "no barrels", 'export * from "./app.ts";'],
    ["src/http/x.ts", "at most 320 lines", lines(maxLines + 1)],
    ["src/http/x.ts", "nothing in src knows", 'import { a } from "../../test/support/x.ts";'],
    ["src/config/x.ts", "config does not know log", 'import { a } from "../log.ts";'],
    ["src/config/load.ts", "config does not know database", 'import type { a } from "../database/open.ts";'],
    ["src/database/x.ts", "database does not know http", 'export { a } from "../http/app.ts";'],
    ["src/database/x.ts", "database does not know auth", 'import { a } from "../auth/adapter.ts";'],
    ["src/database/x.ts", "database does not know cli", 'import { a } from "../cli/help.ts";'],
    ["src/http/x.ts", "http does not know main", 'import { a } from "../main.ts";'],
    [
      "src/pages/views/x.tsx",
      "pages/views does not know config",
      'import { a } from "../../config/config.ts";',
    ],
    ["src/pages/views/x.tsx", "pages/views does not know pages", 'import { a } from "../messages.ts";'],
    ["src/session/x.ts", "session does not know auth", 'import { a } from "../auth/input.ts";'],
    [
      "src/database/sessions/x.ts",
      "database does not know session",
      'import { a } from "../../session/cookie.ts";',
    ],
    ["src/new/x.ts", "new is no area", ""],
  ])("are broken in %s: %s", (path, problem, text) => {
    expect(layerProblems([{ path, text }])).toEqual([expect.stringContaining(problem)]);
  });

  test("are broken by files that import each other, even their types", () => {
    const files = [
      { path: "src/http/a.ts", text: 'import { b } from "./b.ts";' },
      { path: "src/http/b.ts", text: 'import type { c } from "./c.ts";' },
      { path: "src/http/c.ts", text: 'export { a } from "./a.ts";' },
    ];
    expect(layerProblems(files)).toEqual(["src/http/a.ts → src/http/b.ts → src/http/c.ts → src/http/a.ts"]);
  });

  test.each([
    ["a comment", "src/http/x.ts", "// process.env is main's\n/** as `new Bun.SQL()` */"],
    ["an error class", "src/http/x.ts", "export class SlowError extends Error {}"],
    ["320 lines", "src/http/x.ts", lines(maxLines)],
    [
      "a driver in database",
      "src/database/x.ts",
      'import { SQL } from "bun";\nimport { a } from "./sessions/store.ts";',
    ],
    ["a type of Bun's", "src/server.ts", 'import type { Server } from "bun";'],
    ["main's own", "src/main.ts", "process.exit(process.env['X']);"],
  ])("allow %s", (_what, path, text) => {
    expect(layerProblems([{ path, text }])).toEqual([]);
  });
});
