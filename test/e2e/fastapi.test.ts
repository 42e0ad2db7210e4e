import { describe, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildExecutable } from "../support/executable.ts";
import { ensureVirtualEnvironment, findPython, type PythonResult, run } from "../support/python.ts";
import { once, temporaryDirectory } from "../support/reaper.ts";

const example = join(import.meta.dir, "..", "..", "examples", "fastapi");
const installTimeoutMs = 300_000;
const runTimeoutMs = 240_000;
const python = once(() => ensureVirtualEnvironment(join(example, "requirements-dev.txt")));

/** The tool's own report is what a failure should show. */
function expectSuccess(result: PythonResult, lastLine: RegExp): void {
  if (result.exitCode !== 0) throw new Error(`exit code ${result.exitCode}\n${result.output}`);
  expect(result.output).toMatch(lastLine);
}

describe("examples/fastapi", () => {
  test(
    "passes its own tests against the executable",
    async () => {
      const env = { LATCHKEY_EXECUTABLE: resolve(await buildExecutable()), PYTHONDONTWRITEBYTECODE: "1" };
      const base = temporaryDirectory("fastapi");
      const args = ["-m", "pytest", "-q", "--color=no", `--basetemp=${join(base, "pytest")}`];
      const result = await run([await python(), ...args], { cwd: example, env, timeoutMs: runTimeoutMs });
      expectSuccess(result, /^[1-9][0-9]+ passed in [^\n]*$/m);
      expect(result.output).not.toMatch(/skipped|deselected|xfailed/);
    },
    installTimeoutMs + runTimeoutMs,
  );

  test(
    "is fully typed",
    async () => {
      const args = ["-m", "mypy", "--strict", "--cache-dir", temporaryDirectory("mypy")];
      const result = await run([await python(), ...args], { cwd: example, timeoutMs: runTimeoutMs });
      expectSuccess(result, /^Success: no issues found in [0-9]+ source files/);
    },
    installTimeoutMs + runTimeoutMs,
  );
});

describe("findPython", () => {
  function fakePython(script: string): string {
    const path = join(temporaryDirectory("python"), "python3");
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  const howToGetPython =
    "Get one: apt-get install python3 python3-venv, brew install python, or https://www.python.org/downloads/";

  async function problemsOf(names: string[]): Promise<string[]> {
    return await findPython(names).then(
      (python) => [`found ${python.path}`],
      (error: unknown) => String(error).split("\n"),
    );
  }

  test("says when there is none", async () => {
    expect(await problemsOf(["no-such-python"])).toEqual([
      "Error: The API, examples/fastapi, needs Python 3.11 or later:",
      `No no-such-python in PATH. ${howToGetPython}`,
    ]);
  });

  test("says which is too old, lacks venv or does not run", async () => {
    const old = fakePython("printf '3.10\\nvenv\\n'");
    const bare = fakePython("printf '3.12\\n'");
    const broken = fakePython("echo 'not installed' >&2; exit 127");
    expect(await problemsOf([old, bare, broken])).toEqual([
      "Error: The API, examples/fastapi, needs Python 3.11 or later:",
      `${old} is Python 3.10, which is too old. ${howToGetPython}`,
      `${bare} lacks the venv module: apt-get install python3.12-venv`,
      `${broken} does not run: not installed`,
    ]);
  });

  test("takes the first that is usable", async () => {
    const old = fakePython("printf '3.9\\nvenv\\n'");
    const usable = fakePython("printf '3.11\\nvenv\\n'");
    expect(await findPython([old, usable])).toEqual({ path: usable, version: "3.11" });
  });
});
