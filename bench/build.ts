import { existsSync } from "node:fs";
import { join } from "node:path";
import { buildCommand } from "../release/build-command.ts";
import { temporaryDirectory } from "../test/support/reaper.ts";

/** What is compiled: latchkey, and what it is measured against. Paths are below the project's directory. */
const entryPoints = {
  bare: "bench/targets/bare-server.ts",
  "bare-passwords": "bench/targets/bare-passwords.ts",
  "stock-sqlite": "bench/stock/server-sqlite.ts",
  "stock-postgres": "bench/stock/server-postgres.ts",
} as const;

type Program = keyof typeof entryPoints | "latchkey";

/** Absolute paths of compiled programs, each built when it is first asked for. */
export type Executables = (program: Program) => Promise<string>;

const projectDirectory = join(import.meta.dir, "..");

/** @param given an executable to measure instead of building one. */
export function createExecutables(given: string | undefined): Executables {
  const built = new Map<Program, Promise<string>>();
  const directory = temporaryDirectory("bench-programs");
  return (program) => {
    if (program === "latchkey" && given !== undefined && given !== "") return requireFile(given);
    const path = built.get(program) ?? compile(program, directory);
    built.set(program, path);
    return path;
  };
}

async function requireFile(path: string): Promise<string> {
  if (!existsSync(path)) throw new Error(`LATCHKEY_BENCH_EXECUTABLE: there is no ${path}`);
  return path;
}

/** Compiles with the flags of the project's own build, whatever the program: none has a better compiler. */
async function compile(program: Program, directory: string): Promise<string> {
  const outfile = join(directory, program);
  const command = buildCommand(projectDirectory, outfile).map((argument) =>
    argument === "src/main.ts" && program !== "latchkey" ? entryPoints[program] : argument,
  );
  const build = Bun.spawn([process.execPath, ...command], {
    cwd: projectDirectory,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(build.stdout).text(),
    new Response(build.stderr).text(),
    build.exited,
  ]);
  if (build.exitCode !== 0) throw new Error(`building ${program} failed:\n${stdout}${stderr}`);
  return outfile;
}
