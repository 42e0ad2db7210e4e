import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildExecutable } from "../support/executable.ts";
import { projectDirectory, readDocument } from "../support/readme.ts";
import { temporaryDirectory } from "../support/reaper.ts";

const { blocks } = readDocument("README.md");

describe("the README's unit", () => {
  const needed =
    Bun.which("systemd-analyze") === null ? " (needs systemd-analyze: apt-get install systemd)" : "";
  test.skipIf(needed !== "")(`is one that systemd understands${needed}`, async () => {
    const code = blocks.find(({ marker }) => marker === "unit")?.code ?? "";
    const path = join(temporaryDirectory("unit"), "latchkey.service");
    writeFileSync(path, code.replace("/usr/local/bin/latchkey", resolve(await buildExecutable())));
    const { exitCode, stderr } = Bun.spawnSync(["systemd-analyze", "verify", path]);
    const complaints = stderr.toString().split("\n");
    expect({ exitCode, complaints: complaints.filter((line) => line.includes(path)) }).toEqual({
      exitCode: 0,
      complaints: [],
    });
  });
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
