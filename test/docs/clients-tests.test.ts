import { describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { buildExecutable } from "../support/executable.ts";
import { pasteFiles } from "../support/paste.ts";
import { ensureVirtualEnvironment, run } from "../support/python.ts";
import { projectDirectory, readDocument } from "../support/readme.ts";
import { temporaryDirectory } from "../support/reaper.ts";

const clients = readDocument("docs/clients.md");
const runners = {
  node: { command: ["node", "--test"], passed: "# pass 2\n" },
  bun: { command: [process.execPath, "test"], passed: "2 pass\n" },
};

/** Runs the documented test as pasted, beside the documented files that it imports. */
async function runPasted(runner: keyof typeof runners, adapt?: (code: string) => string) {
  const directory = pasteFiles(clients, `${runner}-tests`, adapt);
  const helper = "latchkey-testserver.mjs";
  if (runner !== "node")
    copyFileSync(join(pasteFiles(clients, "node-tests"), helper), join(directory, helper));
  copyFileSync(join(pasteFiles(clients, "node"), "latchkey.mjs"), join(directory, "latchkey.mjs"));
  const temporary = temporaryDirectory("pasted-tests");
  const child = Bun.spawn([...runners[runner].command], {
    cwd: directory,
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: directory,
      TMPDIR: temporary,
      LATCHKEY_EXECUTABLE: await buildExecutable(),
      // What a test of an API may have in its own environment.
      PORT: "1",
      HOST: "0.0.0.0",
      LATCHKEY_URL: "http://localhost:1",
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, output: stdout + stderr, left: [...new Bun.Glob("latchkey-*/**").scanSync(temporary)] };
}

test("the documented test for pytest, as pasted, passes", async () => {
  const example = join(projectDirectory, "examples", "fastapi");
  const directory = pasteFiles(readDocument("examples/fastapi/README.md"), "pytest");
  const python = await ensureVirtualEnvironment(join(example, "requirements-dev.txt"));
  const temporary = temporaryDirectory("pasted-tests");
  const env = {
    PYTHONPATH: join(example, "src"),
    PYTHONDONTWRITEBYTECODE: "1",
    TMPDIR: temporary,
    LATCHKEY_EXECUTABLE: await buildExecutable(),
    PORT: "1",
    HOST: "0.0.0.0",
  };
  // What the installed package says by itself, pyproject.toml has under `pytest11`.
  const [, plugin = ""] =
    /^\[project\.entry-points\.pytest11\]\n"(\S+)" = "\1"$/m.exec(
      await Bun.file(join(example, "pyproject.toml")).text(),
    ) ?? [];
  const command = [python, "-m", "pytest", "-q", "-p", plugin, "-p", "no:cacheprovider", "--color=no"];
  const { exitCode, output } = await run(command, { cwd: directory, env, timeoutMs: 60_000 });
  expect({ exitCode, output }).toEqual({ exitCode: 0, output: expect.stringContaining("1 passed") });
  expect([...new Bun.Glob("latchkey-*/**").scanSync(temporary)]).toEqual([]);
}, 360_000);

describe.each(["node", "bun"] as const)("the documented test for %s, as pasted,", (runner) => {
  test("passes, and leaves nothing behind", async () => {
    const { status, output, left } = await runPasted(runner);
    expect({ status, output, left }).toEqual({
      status: 0,
      output: expect.stringContaining(runners[runner].passed),
      left: [],
    });
  });

  test("fails where the API takes strangers for somebody", async () => {
    const wrong = (code: string) => code.replace("await whoIs()", "await whoIs(latchkey.users[0].cookie)");
    expect((await runPasted(runner, wrong)).status).toBe(1);
  });
});
