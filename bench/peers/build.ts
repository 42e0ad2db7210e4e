import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";

/** Ignored by git; removed by hand when it is in the way. */
export const cacheDirectory = join(import.meta.dir, ".cache");
/** Of what a failed build wrote: its end says why. */
const shownCharacters = 600;

/**
 * Makes the folder `name` of the cache, unless an earlier run has. @param make fills the folder; what it leaves when it
 * throws is thrown away. @returns the folder's absolute path.
 */
export async function cached(name: string, make: (directory: string) => Promise<void>): Promise<string> {
  const directory = join(cacheDirectory, name);
  if (existsSync(directory)) return directory;
  const unfinished = `${directory}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  try {
    await make(unfinished);
    renameSync(unfinished, directory);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return directory;
}

/** @throws unless `name` is in PATH. */
export function requireProgram(name: string): string {
  const path = Bun.which(name);
  if (path === null) throw new Error(`there is no ${name} in PATH`);
  return path;
}

export interface RunOptions {
  readonly cwd: string;
  /** On top of this process's. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a command to its end. @returns what it wrote; throws with the end of that when it fails. */
export async function run(command: readonly string[], { cwd, env = {} }: RunOptions): Promise<string> {
  const child = Bun.spawn([...command], {
    cwd,
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (child.exitCode === 0) return stdout;
  const [program = "", verb = ""] = command;
  const written = `${stdout}${stderr}`.trim().slice(-shownCharacters);
  throw new Error(`${basename(program)} ${verb} failed (${child.exitCode}): ${written}`);
}
