import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import example from "../../examples/docusaurus/package.json" with { type: "json" };
import { projectDirectory, readDocument } from "../support/readme.ts";
import { temporaryDirectory } from "../support/reaper.ts";

const { blocks } = readDocument("examples/docusaurus/README.md");
const linesOf = (marker: string) => {
  const code = blocks.find((block) => block.marker === marker)?.code;
  if (code === undefined) throw new Error(`examples/docusaurus/README.md has no <!-- ${marker} -->`);
  return code.trim().split("\n");
};
const shell = async (code: string, cwd: string) => {
  const child = Bun.spawn(["/bin/sh", "-eu", "-c", code], { cwd, stdout: "pipe", stderr: "pipe" });
  const said = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect([await child.exited, code, child.exitCode === 0 ? "" : said.join("")]).toEqual([0, code, ""]);
};

const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

describe.each(["npm", "bun"])("10-B6: a new Docusaurus site with %s", (tool) => {
  const lines = linesOf(`new site: ${tool}`);
  const at = (pattern: RegExp) => lines.findIndex((line) => pattern.test(line));
  const pinning = at(/ pkg set /);

  test("holds @docsearch/react before anything is installed, as the example does", async () => {
    expect(lines[at(/create-docusaurus/)]).toEndWith(" --skip-install");
    expect(at(/create-docusaurus/)).toBeLessThan(pinning);
    expect(pinning).toBeGreaterThan(0);
    expect(at(/^(?:npm|bun) (?:install|add)\b/)).toBeGreaterThan(pinning);

    const directory = temporaryDirectory("new-site");
    const file = join(directory, "package.json");
    writeFileSync(file, '{"name":"my-site"}');
    await shell(lines[pinning] ?? "", directory);
    expect(JSON.parse(readFileSync(file, "utf8")).overrides).toEqual(example.overrides);
  });

  test("adds the versions that the example is tested with", () => {
    const adding = lines.at(-1) ?? "";
    const named = [...adding.matchAll(/ (@?[^@\s]+)@(\S+)/g)].map(([, name = "", version]) => [
      name,
      version,
    ]);
    const own: Readonly<Record<string, string>> = example.dependencies;
    expect(named.length).toBe(3);
    expect(named).toEqual(named.map(([name = ""]) => [name, own[name]]));
  });
});

test("10-B6: the pin of the Docusaurus example is in its lockfile, once", () => {
  const lock = readFileSync(join(projectDirectory, "examples/docusaurus/bun.lock"), "utf8");
  const version = example.overrides["@docsearch/react"];
  expect(lock).toContain(`["@docsearch/react@${version}"`);
  expect([...lock.matchAll(/\["@docsearch\/react@/g)]).toHaveLength(1);
  expect(lock).toContain(`["@docsearch/core@${version}"`);
});

test("10-B6: what a Docusaurus site copies is complete: no import leads out of it", async () => {
  const beside = temporaryDirectory("beside-the-clone");
  symlinkSync(projectDirectory, join(beside, "latchkey"));
  const site = join(beside, "my-site");
  for (const directory of ["src/css", "src/components", "static"])
    mkdirSync(join(site, directory), { recursive: true });
  writeFileSync(join(site, "src/css/custom.css"), ":root {\n}\n");
  await shell(linesOf("copy").join("\n"), site);

  expect(readdirSync(join(site, "static"))).toEqual(["site-urls.js"]);
  expect(readFileSync(join(site, "src/css/custom.css"), "utf8")).toMatch(
    /^:root \{\n\}\n\.visually-hidden \{[^}]*\}\n$/,
  );
  // What create-docusaurus brings.
  const packages = new Set(["react", "@theme", "@theme-original", "@docusaurus", "@generated"]);
  for (const [, name = ""] of (linesOf("new site: npm").at(-1) ?? "").matchAll(/ (@?[^@\s]+)@/g))
    packages.add(name.startsWith("@") ? (name.split("/")[0] ?? "") : name);
  const missing: string[] = [];
  const files = [...new Bun.Glob("src/**/*.{ts,tsx}").scanSync(site)];
  expect(files.length).toBeGreaterThan(7);
  for (const file of files) {
    const text = readFileSync(join(site, file), "utf8");
    for (const [, target = ""] of text.matchAll(/\bfrom "([^"]+)"/g)) {
      const path = join(site, dirname(file), target);
      const isThere = target.startsWith(".")
        ? ["", ".ts", ".tsx", "/index.tsx"].some((ending) => isFile(path + ending))
        : packages.has(target.split("/")[0] ?? "");
      if (!isThere) missing.push(`${file}: ${target}`);
    }
  }
  expect(missing).toEqual([]);
});

test("10-B6: the lines for docusaurus.config.ts are the example's, but for how an address is checked", () => {
  const own = readFileSync(join(projectDirectory, "examples/docusaurus/docusaurus.config.ts"), "utf8")
    .replaceAll(/urlFromEnv\("(\w+)", ("[^"]+")\)/g, "process.env.$1 || $2")
    .split("\n")
    .map((line) => line.trim());
  const shown = [...linesOf("config"), ...linesOf("from: examples/docusaurus/docusaurus.config.ts")];
  expect(shown.length).toBe(6);
  expect(shown.map((line) => line.trim()).filter((line) => !own.includes(line))).toEqual([]);
});
