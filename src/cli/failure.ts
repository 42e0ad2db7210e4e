import { CommandError, ConfigError, reasonOf } from "../errors.ts";
import { type CommandContext, exitStatus, printFailure } from "./command.ts";

/**
 * Says why a command failed; with JSON also as one object on stdout: `{error: {message, remedy}}` with what was done until then, or
 * `{problems: [{variable, reason, remedy}]}` for a configuration that cannot be used.
 * @returns the exit status.
 */
export function reportFailure(error: unknown, context: CommandContext, json: boolean): number {
  if (error instanceof ConfigError) {
    for (const { variable, reason, remedy } of error.problems)
      printFailure(context, `${variable}: ${reason}`, remedy);
    if (json) context.stdout(JSON.stringify({ problems: error.problems }));
    return exitStatus.usage;
  }
  const remedy = error instanceof CommandError ? error.remedy : "latchkey doctor";
  const counts = error instanceof CommandError ? error.counts : undefined;
  sayFailure(context, { message: reasonOf(error), remedy }, json, counts);
  const isWrongInput = error instanceof CommandError && error.wrongInput !== undefined;
  return isWrongInput ? exitStatus.usage : exitStatus.failed;
}

/** A file that a command would write is there. */
export function pathTaken(path: string): CommandError {
  return new CommandError(`${path} is there already, and is not overwritten`, "name another file", {
    wrongInput: "path_taken",
  });
}

/** One failure, and what to do. */
export function sayFailure(
  context: CommandContext,
  failure: { readonly message: string; readonly remedy: string },
  json: boolean,
  counts: Readonly<Record<string, number>> = {},
): void {
  printFailure(context, failure.message, failure.remedy);
  if (json) context.stdout(JSON.stringify({ error: failure, ...counts }));
}
