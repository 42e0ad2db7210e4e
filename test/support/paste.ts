import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { collectOutput } from "./process-output.ts";
import { findPython } from "./python.ts";
import { type Document, projectDirectory } from "./readme.ts";
import { forgetProcess, temporaryDirectory, watchProcess } from "./reaper.ts";

const readyTimeoutMs = 20_000;
const installTimeoutMs = 240_000;

/**
 * Pastes what a document shows under one name into an empty folder: `<!-- file: vite/main.js -->` is main.js of `vite`.
 * @param adapt changes what this machine needs otherwise, such as a port that is free.
 * @returns the folder, absolute.
 */
export function pasteFiles({ path, blocks }: Document, name: string, adapt = (code: string) => code): string {
  const directory = temporaryDirectory(name);
  const prefix = `file: ${name}/`;
  const files = blocks.filter(({ marker }) => marker.startsWith(prefix));
  if (files.length === 0) throw new Error(`${path} has no <!-- ${prefix}… -->`);
  for (const { marker, code } of files)
    writeFileSync(join(directory, marker.slice(prefix.length)), adapt(code));
  return directory;
}

/** The lines of `<!-- commands: name -->`: what installs, and last what starts. */
export function commandsOf(
  { path, blocks }: Document,
  name: string,
): { readonly installing: readonly string[]; readonly starting: string } {
  const block = blocks.find(({ marker }) => marker === `commands: ${name}`);
  const lines = block?.code.trim().split("\n") ?? [];
  const starting = lines.at(-1);
  if (starting === undefined) throw new Error(`${path} has no <!-- commands: ${name} -->`);
  return { installing: lines.slice(0, -1), starting };
}

/**
 * Puts what `npm install a b@1.2.3` names into a folder: those packages of this project's own, and no other.
 * @throws when the command is another one, a package is missing here, or its version is not the one that is named.
 */
export async function linkPackages(installing: readonly string[], directory: string): Promise<void> {
  for (const line of installing) {
    const [, named] = /^npm install (\S.*)$/.exec(line) ?? [];
    if (named === undefined) throw new Error(`not an npm install: ${line}`);
    for (const [, name = "", version] of named.matchAll(/(@?[^@\s]+)(?:@(\S+))?/g)) {
      const source = join(projectDirectory, "node_modules", name);
      const own = await Bun.file(join(source, "package.json")).json();
      if (version !== undefined && own.version !== version)
        throw new Error(`${line}: the project has ${name}@${own.version}`);
      const target = join(directory, "node_modules", name);
      mkdirSync(dirname(target), { recursive: true });
      symlinkSync(source, target);
    }
  }
}

/**
 * Runs the documented installation of the FastAPI package as it stands, in a folder beside a clone, once for each state of
 * the package and its commands.
 * @returns the `.venv` that it made, absolute.
 */
export async function installPython(installing: readonly string[]): Promise<string> {
  const example = join(projectDirectory, "examples", "fastapi");
  const { path, version } = await findPython(["python3"]);
  const hash = new Bun.CryptoHasher("sha256").update(`${path} ${version}\n${installing.join("\n")}`);
  const sources = [...new Bun.Glob("{pyproject.toml,requirements.txt,src/**/*.py}").scanSync(example)].sort();
  for (const source of sources) hash.update(`${source}\n${await Bun.file(join(example, source)).text()}`);
  const cache = join(projectDirectory, "node_modules", ".cache", "latchkey");
  const beside = join(cache, `documented-${hash.digest("hex").slice(0, 16)}`);
  const folder = join(beside, "api");
  const complete = join(beside, "complete");
  if (!existsSync(complete)) {
    // In place, not renamed: the scripts of a virtual environment name its path.
    rmSync(beside, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    symlinkSync(projectDirectory, join(beside, "latchkey"));
    // The versions that the example was tested with; what the command itself says is which packages.
    const env = {
      ...process.env,
      PIP_CONSTRAINT: join(example, "requirements.txt"),
      PIP_DISABLE_PIP_VERSION_CHECK: "1",
    };
    const child = Bun.spawn(["/bin/sh", "-eu", "-c", installing.join("\n")], {
      cwd: folder,
      env,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: installTimeoutMs,
    });
    watchProcess(child.pid, "TERM");
    const output = await Promise.all([child.stdout.text(), child.stderr.text()]);
    const code = await child.exited;
    forgetProcess(child.pid);
    if (code !== 0) throw new Error(`${installing.join("; ")} failed (${code}):\n${output.join("")}`);
    writeFileSync(complete, "");
  }
  return join(folder, ".venv");
}

export interface StartedProgram {
  stop(): Promise<void>;
}

/**
 * Runs a command in a folder until it is stopped, and waits until `url` answers, whatever it answers.
 * @throws with what it wrote when it ends before that.
 */
export async function startProgram(
  command: string,
  options: {
    readonly cwd: string;
    readonly url: string;
    readonly env?: Readonly<Record<string, string>>;
  },
): Promise<StartedProgram> {
  const child = Bun.spawn(["/bin/sh", "-c", `exec ${command}`], {
    cwd: options.cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: options.cwd, ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  watchProcess(child.pid, "KILL");
  const stdout = collectOutput(child.stdout, {});
  const stderr = collectOutput(child.stderr, {});
  const stop = async () => {
    child.kill("SIGTERM");
    const kill = setTimeout(() => child.kill("SIGKILL"), 5_000);
    await child.exited;
    clearTimeout(kill);
    forgetProcess(child.pid);
  };
  const answers = () =>
    fetch(options.url, { redirect: "manual", tls: { rejectUnauthorized: false } }).then(
      () => true,
      () => false,
    );
  const deadline = performance.now() + readyTimeoutMs;
  while (!(await answers())) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await stop();
      throw new Error(`${command} does not answer at ${options.url}:\n${stdout.text()}${stderr.text()}`);
    }
    await Bun.sleep(30);
  }
  return { stop };
}
