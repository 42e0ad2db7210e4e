import { symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildExecutable, type CommandResult } from "./executable.ts";
import { readDocument } from "./readme.ts";
import { once, temporaryDirectory } from "./reaper.ts";

/** The code under `<!-- marker -->`. @throws when a document has none, or several. */
export function blockOf(path: string, marker: string): string {
  const found = readDocument(path).blocks.filter((block) => block.marker === marker);
  const [block] = found;
  if (block === undefined || found.length > 1)
    throw new Error(`${path} has ${found.length} blocks <!-- ${marker} -->`);
  return block.code;
}

/** A folder to put into PATH, in which the executable is called `latchkey`. */
const binDirectory = once(async () => {
  const directory = temporaryDirectory("bin");
  symlinkSync(resolve(await buildExecutable()), join(directory, "latchkey"));
  return directory;
});

/** Runs code as a reader would who has `latchkey` in PATH, and a script's stdin. */
export async function runCode(
  code: string,
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>>; readonly typed?: string },
): Promise<CommandResult> {
  const child = Bun.spawn(["/bin/sh", "-eu", "-c", code], {
    cwd: options.cwd,
    env: {
      PATH: `${await binDirectory()}:${process.env["PATH"]}`,
      HOME: options.cwd,
      ...options.env,
    },
    stdin: new TextEncoder().encode(options.typed ?? ""),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  return { exitCode, stdout, stderr };
}
