import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
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
  const command = buildCommand().map((argument) => {
    if (argument.startsWith("--outfile=")) return `--outfile=${outfile}`;
    if (argument === "src/main.ts" && program !== "latchkey") return entryPoints[program];
    return argument;
  });
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

/** The arguments of package.json's `build` script, without `bun`, as a shell hands them on: none has a space. */
export function buildCommand(): string[] {
  const text = readFileSync(join(projectDirectory, "package.json"), "utf8");
  const { scripts } = JSON.parse(text) as { scripts: { build: string } };
  const [bun, ...args] = scripts.build.split(" ").map((word) => word.replace(/^'(.*)'$/, "$1"));
  if (
    bun !== "bun" ||
    !args.some((argument) => argument.startsWith("--outfile=")) ||
    args.at(-1) !== "src/main.ts"
  )
    throw new Error(`the bench cannot read package.json's build script: ${scripts.build}`);
  return args;
}
