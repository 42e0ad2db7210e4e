import { expect, test } from "bun:test";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import { buildCommand } from "../release/build-command.ts";

test("the build's arguments are those that a shell would hand on, but for the output", () => {
  const script = `bun() { printf '%s\\n' "$@"; }; ${packageJson.scripts.build}`;
  const { stdout } = Bun.spawnSync(["/bin/sh", "-c", script]);
  const words = stdout.toString().trimEnd().split("\n");
  expect(buildCommand(join(import.meta.dir, ".."), "elsewhere")).toEqual(
    words.map((word) => (word === "--outfile=dist/latchkey" ? "--outfile=elsewhere" : word)),
  );
  expect(words).toContain("--outfile=dist/latchkey");
});
