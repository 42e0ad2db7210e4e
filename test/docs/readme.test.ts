import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { blockOf } from "../support/documented.ts";
import { projectDirectory, readDocument } from "../support/readme.ts";

const { blocks } = readDocument("README.md");

test("the README installs as docs/install.md does, whose commands test/ship runs", () => {
  expect(blockOf("README.md", "run: install")).toBe(blockOf("docs/install.md", "run: install"));
});

describe("the README's snippets", () => {
  const quoted = blocks.filter(({ marker }) => marker.startsWith("from: "));

  test.each(quoted.map((block) => [block.marker.slice("from: ".length), block] as const))(
    "of %s are in it, line by line",
    (path, { code }) => {
      const lines = readFileSync(join(projectDirectory, path), "utf8")
        .split("\n")
        .map((line) => line.trim());
      const own = code.split("\n").map((line) => line.trim());
      expect(own.filter((line) => line !== "" && !lines.includes(line))).toEqual([]);
    },
  );

  test("are all marked where a test could run them", () => {
    const unmarked = blocks.filter(({ marker, language, code }) => {
      const isCommand = code
        .split("\n")
        .every((line) => line === "" || /^(?:npx --yes bun@[\d.]+|bun) run \w+$/.test(line));
      return language === "sh" && marker === "" && !isCommand;
    });
    expect(unmarked.map(({ line, code }) => `${line}: ${code}`)).toEqual([]);
  });
});
