import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { buildFilter } from "../auth/breached/filter-build.ts";
import { fileBytes } from "../auth/breached/filter-page.ts";
import { BadLineError } from "../auth/breached/hash-lines.ts";
import { createDurably } from "../durable-file.ts";
import { CommandError, reasonOf } from "../errors.ts";
import { type Command, exitStatus } from "./command.ts";
import { pathTaken } from "./failure.ts";
import { createProgress } from "./import/progress.ts";
import { openInput, unreadable } from "./input.ts";

interface BuildOptions {
  /** A path, or `-` for stdin. */
  readonly list: string;
  readonly file: string;
  readonly minCount: number;
}

/** Makes the file of breached passwords of a list, whole or not at all. */
export const buildPasswords: Command<BuildOptions> = async (context, { json, list, file, minCount }) => {
  const path = resolve(context.cwd, file);
  if (existsSync(path)) throw pathTaken(path);
  const input = openInput(context, list, `latchkey passwords build - ${file} < pwned-passwords.txt`);
  const progress = createProgress(context, () => performance.now(), "lines");
  let readBytes = 0;
  const counted = async function* () {
    for await (const chunk of input.read()) {
      readBytes += chunk.length;
      yield chunk;
    }
  };
  const onProgress = (lines: number) => {
    const share = input.bytes === null ? undefined : Math.min(1, readBytes / input.bytes);
    progress.show(lines, share);
  };
  let built = { lines: 0, hashes: 0 };
  try {
    const isOurs = await createDurably(path, async (temporary) => {
      built = await buildFilter(temporary, { list: counted(), minCount, onProgress });
      if (built.hashes === 0) throw nothingIn(built.lines, minCount);
    });
    if (!isOurs) throw pathTaken(path);
  } catch (error) {
    throw failureOf(error);
  } finally {
    progress.end();
  }
  const bytes = fileBytes(built.hashes);
  if (json) context.stdout(JSON.stringify({ path, ...built, minCount, bytes }));
  else context.stdout(`${path}: ${built.hashes} hashes of ${built.lines} lines, ${bytes} bytes`);
  return exitStatus.ok;
};

function nothingIn(lines: number, minCount: number): CommandError {
  if (lines === 0)
    return unreadable("the list has no lines", "look whether what should have written it failed");
  return unreadable(
    `none of the ${lines} lines has a hash that was seen ${minCount} times`,
    "take a lower --min-count",
  );
}

/** A list that cannot be used is its maker's to mend; a disk is not. */
function failureOf(error: unknown): unknown {
  if (error instanceof BadLineError)
    return new CommandError(
      error.message,
      "give it the list of Pwned Passwords as haveibeenpwned-downloader writes it, in one file",
      { cause: error, wrongInput: "bad_line" },
    );
  const { syscall, code } = error as { readonly syscall?: unknown; readonly code?: unknown };
  if (error instanceof CommandError || syscall === undefined) return error;
  const remedy =
    code === "ENOSPC"
      ? "free twice the size of the result, or take a higher --min-count"
      : "name a list that this user may read, and a file in a folder that it may write to";
  return new CommandError(reasonOf(error), remedy, { cause: error });
}
