import { mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { forgetProcess, watchProcess } from "./reaper.ts";

/** The oldest Python for which the pinned requirements are published, as [major, minor]. */
const oldestPython = [3, 11] as const;

export interface PythonRunOptions {
  readonly cwd: string;
  /** The whole environment but for PATH and HOME, which are passed on. */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

export interface PythonResult {
  /** 128 + the signal's number when a signal ended it. */
  readonly exitCode: number;
  /** Of both streams: stdout, then stderr. */
  readonly output: string;
}

const cacheDirectory = join(import.meta.dir, "..", "..", "node_modules", ".cache", "latchkey");
const candidateNames = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];
const probe = `
import sys
print("%d.%d" % sys.version_info[:2])
try:
    import ensurepip, venv
    print("venv")
except ImportError:
    pass
`;

/**
 * Makes a virtual environment with what a requirements file pins, once for each content of it and its includes.
 * @returns the absolute path of its Python; run tools by `-m`, as the scripts beside it name another directory.
 */
export async function ensureVirtualEnvironment(requirementsFile: string): Promise<string> {
  const python = await findPython(candidateNames);
  const key = new Bun.CryptoHasher("sha256")
    .update(`${python.path} ${python.version}\n${readRequirements(requirementsFile)}`)
    .digest("hex")
    .slice(0, 16);
  const directory = join(cacheDirectory, `venv-${key}`);
  const installed = join(directory, "bin", "python");
  if (await Bun.file(installed).exists()) return installed;
  // Renamed once complete: an interrupted installation, or one by another process at the same time, is never seen.
  const draft = `${directory}.${process.pid}`;
  mkdirSync(cacheDirectory, { recursive: true });
  rmSync(draft, { recursive: true, force: true });
  try {
    await must([python.path, "-m", "venv", draft]);
    const pip = [
      join(draft, "bin", "python"),
      "-m",
      "pip",
      "install",
      "--quiet",
      "--disable-pip-version-check",
    ];
    await must([...pip, "--no-input", "--only-binary", ":all:", "--requirement", requirementsFile]);
    renameSync(draft, directory);
  } catch (cause) {
    rmSync(draft, { recursive: true, force: true });
    if (!(await Bun.file(installed).exists())) throw cause;
  }
  return installed;
}

/** @returns the first usable Python; throws with what each lacks, and how to get it, when there is none. */
export async function findPython(
  names: readonly string[],
): Promise<{ readonly path: string; readonly version: string }> {
  const problems: string[] = [];
  for (const name of names) {
    const path = Bun.which(name);
    if (path === null) continue;
    const { exitCode, output } = await run([path, "-c", probe], { cwd: "/", env: {}, timeoutMs: 20_000 });
    const [version = "", venv] = output.split("\n");
    if (exitCode !== 0) problems.push(`${path} does not run: ${output.trim()}`);
    else if (!isRecent(version))
      problems.push(`${path} is Python ${version}, which is too old. ${howToGetPython}`);
    else if (venv !== "venv")
      problems.push(`${path} lacks the venv module: apt-get install python${version}-venv`);
    else return { path, version };
  }
  if (problems.length === 0) problems.push(`No ${names.join(", ")} in PATH. ${howToGetPython}`);
  throw new Error(
    `The API, examples/fastapi, needs Python ${oldestPython.join(".")} or later:\n${problems.join("\n")}`,
  );
}

const howToGetPython =
  "Get one: apt-get install python3 python3-venv, brew install python, or https://www.python.org/downloads/";

function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major === oldestPython[0] && minor >= oldestPython[1];
}

/** A requirements file's text with that of the files it includes by `-r`. */
function readRequirements(file: string): string {
  const text = readFileSync(file, "utf8");
  const includes = [...text.matchAll(/^-r +(\S+)$/gm)].map(([, name = ""]) => join(dirname(file), name));
  return [text, ...includes.map(readRequirements)].join("\n");
}

/** Runs a program to its end; it gets SIGTERM, and 10 s later SIGKILL, when that takes longer than `timeoutMs`. */
export async function run(command: readonly string[], options: PythonRunOptions): Promise<PythonResult> {
  return await spawn(command, options, { ...inherited("PATH", "HOME"), ...options.env });
}

async function must(command: readonly string[]): Promise<void> {
  // pip's own variables (an index, a certificate) are the developer's to set.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PYTHON")));
  const { exitCode, output } = await spawn(command, { cwd: "/", timeoutMs: 240_000 }, env);
  if (exitCode !== 0) throw new Error(`${command.join(" ")} failed (${exitCode}):\n${output}`);
}

async function spawn(
  command: readonly string[],
  { cwd, timeoutMs }: PythonRunOptions,
  env: Record<string, string | undefined>,
): Promise<PythonResult> {
  const child = Bun.spawn([...command], { cwd, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  watchProcess(child.pid, "TERM");
  const terminate = setTimeout(() => child.kill("SIGTERM"), timeoutMs);
  const kill = setTimeout(() => child.kill("SIGKILL"), timeoutMs + 10_000);
  const [exitCode, stdout, stderr] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  clearTimeout(terminate);
  clearTimeout(kill);
  forgetProcess(child.pid);
  return { exitCode, output: stdout + stderr };
}

function inherited(...names: string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
