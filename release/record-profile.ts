import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildCommand } from "./build-command.ts";
import { spawnLatchkey } from "../test/support/executable.ts";

/**
 * Writes `release/serve.order`: which functions a start needs. The build lays them side by side (`--bytecode-order`), so that
 * less of the executable is read. They are known by their syntax: of code that has changed since, a profile says nothing.
 */
const project = join(import.meta.dir, "..");
const folder = mkdtempSync(join(tmpdir(), "latchkey-profile-"));
const executable = join(folder, "latchkey");
// Of functions that are compiled when they are first called, a profile does not tell.
const command = buildCommand(project, executable).map((word) =>
  word.replace(/^--bytecode-depth=.*/, "--bytecode-depth=99"),
);
const build = Bun.spawnSync([process.execPath, ...command], { cwd: project });
if (!build.success) throw new Error(build.stderr.toString());
const server = await spawnLatchkey({
  env: { BUN_BYTECODE_ORDER_OUT: join(import.meta.dir, "serve.order") },
  executable,
});
const { status } = await fetch(`${server.url}/health`);
// Written as the process ends.
const exitCode = await server.stop();
rmSync(folder, { recursive: true });
if (status !== 200 || exitCode !== 0) throw new Error(`health was ${status}, the exit ${exitCode}`);
