import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory, readDocument } from "../support/readme.ts";

const { blocks } = readDocument("docs/install.md");

test("every command and every drop-in of docs/install.md is run by test/ship", () => {
  const tests = ["install-page", "deb", "oci"]
    .map((name) => readFileSync(join(projectDirectory, `test/ship/${name}.test.ts`), "utf8"))
    .join("\n");
  const untried = blocks.filter(({ marker }) => marker === "" || !tests.includes(`"${marker}"`));
  expect(untried.map(({ line, code }) => `${line}: ${code}`)).toEqual([]);
  expect(blocks.length).toBeGreaterThan(5);
});
