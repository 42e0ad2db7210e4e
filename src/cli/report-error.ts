import { CommanderError } from "commander";
import { reasonOf } from "../doctor/reason.ts";
import { CommandError, ConfigError } from "../errors.ts";
import { exitStatus } from "./exit-status.ts";
import type { Surroundings } from "./command.ts";

/** Says on stderr what went wrong, and the step to take. */
export function complain({ tell }: Pick<Surroundings, "tell">, message: string, remedy: string): void {
  tell(`Error: ${message}\nTry: ${remedy}`);
}

/**
 * Says why a command failed; with JSON also as one object on stdout: `{error: {message, remedy}}`, or
 * `{problems: [{variable, reason, remedy}]}` for a configuration that cannot be used.
 * @param usage the command that explains how the command is used.
 * @returns the exit status.
 */
export function reportFailure(
  error: unknown,
  surroundings: Surroundings,
  { json, usage }: { readonly json: boolean; readonly usage: string },
): number {
  if (error instanceof CommanderError && error.exitCode === 0) return exitStatus.ok;
  if (error instanceof ConfigError) {
    for (const { variable, reason, remedy } of error.problems)
      complain(surroundings, `${variable}: ${reason}`, remedy);
    if (json) surroundings.print(JSON.stringify({ problems: error.problems }));
    return exitStatus.usage;
  }
  const isUsage = error instanceof CommanderError;
  const message = isUsage ? usageMessage(error) : reasonOf(error);
  const remedy = isUsage ? usage : error instanceof CommandError ? error.remedy : "latchkey doctor";
  complain(surroundings, message, remedy);
  if (json) surroundings.print(JSON.stringify({ error: { message, remedy } }));
  return isUsage ? exitStatus.usage : exitStatus.failed;
}

/** Commander puts its suggestions on a line of their own. */
function usageMessage({ message }: CommanderError): string {
  return message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
}
