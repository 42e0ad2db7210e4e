import { createReadStream, statSync } from "node:fs";
import { resolve } from "node:path";
import { CommandError } from "../errors.ts";
import type { CommandContext } from "./command.ts";

/** What a command reads; a file can be read more than once. */
export interface Input {
  /** Null for stdin, and for what is no plain file. */
  readonly bytes: number | null;
  read(): AsyncIterable<Uint8Array>;
}

/**
 * Looks whether there is something to read.
 * @param file a path, or `-` for stdin. @param example of a pipe. @throws CommandError
 */
export function openInput(
  context: Pick<CommandContext, "cwd" | "stdin">,
  file: string,
  example: string,
): Input {
  if (file === "-") {
    const input = context.stdin();
    if (input.isTTY) throw unreadable("there is nothing on stdin", `name a file, or pipe one: ${example}`);
    return { bytes: null, read: () => input as AsyncIterable<Uint8Array> };
  }
  const path = resolve(context.cwd, file);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw unreadable(`there is no file ${path}`, "name a file, or - for stdin");
  if (found.isDirectory()) throw unreadable(`${path} is a folder`, "name a file in it");
  return { bytes: found.isFile() ? found.size : null, read: () => createReadStream(path) };
}

export function unreadable(message: string, remedy: string, cause?: unknown): CommandError {
  return new CommandError(message, remedy, { cause, wrongInput: "unreadable" });
}
