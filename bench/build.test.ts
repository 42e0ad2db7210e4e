import { expect, test } from "bun:test";
import { buildCommand } from "./build.ts";

test("the build's arguments are those that a shell would hand on", () => {
  const { stdout } = Bun.spawnSync(["/bin/sh", "-c", `bun() { printf '%s\\n' "$@"; }; ${script()}`]);
  expect(buildCommand()).toEqual(stdout.toString().trimEnd().split("\n"));
});

function script(): string {
  const { scripts } = require("../package.json") as { scripts: { build: string } };
  return scripts.build;
}
