import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { pages, slugOf } from "../../site/pages.ts";
import { projectDirectory, readDocument } from "../support/readme.ts";

const read = (path: string) => readFileSync(join(projectDirectory, path), "utf8");

test("every document is in the site's sidebar, once, under an address of its own", () => {
  const documents = [
    "*.md",
    "docs/*.md",
    "examples/*/README.md",
    "bench/README.md",
    "bench/results/*.md",
  ].flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(projectDirectory)]);
  expect(documents.length).toBeGreaterThan(25);
  expect([...pages].toSorted()).toEqual(documents.toSorted());
  expect(new Set(pages.map(slugOf)).size).toBe(pages.length);
});

test("the site is built with the very packages of examples/docusaurus", () => {
  const { name: _own, ...site } = JSON.parse(read("site/package.json"));
  const { name: _other, ...example } = JSON.parse(read("examples/docusaurus/package.json"));
  expect(site).toEqual(example);
  const withoutName = (lock: string) => lock.replace(/"name": "latchkey-[^"]+"/, "");
  expect(withoutName(read("site/bun.lock"))).toBe(withoutName(read("examples/docusaurus/bun.lock")));
});

test("the site's first page shows commands and code that stand in the documents", () => {
  const page = read("site/src/pages/index.tsx");
  const shown = [
    ...page.matchAll(/<CodeBlock[^>]*>\s*(?:\{(["'])(.*?)\1\}|([^<{]*?))\s*<\/CodeBlock>/g),
  ].flatMap(([, , quoted, plain]) => (quoted ?? plain ?? "").split("\\n"));
  expect(shown.length).toBe(5);
  const code = ["README.md", "docs/first-run.md"].flatMap((path) => readDocument(path).code);
  expect(shown.filter((line) => !code.some((own) => own.includes(line)))).toEqual([]);
});
