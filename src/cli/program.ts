import { Command as Program, CommanderError } from "commander";
import { CommandError, ConfigError } from "../errors.ts";
import { serve } from "./serve.ts";
import type { Command, Surroundings } from "./surroundings.ts";
import { version } from "./version.ts";

/** Exit statuses: done, failed, used wrongly. */
export const exitStatus = { ok: 0, failed: 1, usage: 2 } as const;

/**
 * Runs one command line. @param argv the arguments after the program's name.
 * @returns the exit status; a failure was printed as `Error: …` and `Try: …` on stderr.
 */
export async function run(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  let status: number = exitStatus.ok;
  const program = new Program("latchkey")
    .description(
      "A single-binary auth server: e-mail and password sign-in, session cookies, session verification.",
    )
    .exitOverride()
    .configureOutput({ writeOut: (text) => surroundings.print(text.trimEnd()), writeErr: () => {} });
  const add = (name: string, summary: string, command: Command, isDefault = false) =>
    program
      .command(name, { isDefault })
      .description(summary)
      .option("--json", "print JSON")
      .allowExcessArguments(false)
      .action(async (options: { json?: boolean }) => {
        status = await command(surroundings, { json: options.json === true });
      });
  add("serve", "run the server (the default)", serve, true);
  add("version", "print the version", version);
  try {
    await program.parseAsync(argv, { from: "user" });
    return status;
  } catch (error) {
    return report(error, surroundings.tell);
  }
}

/** Says what went wrong and what to do. @returns the exit status. */
function report(error: unknown, tell: (text: string) => void): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitStatus.ok;
    tell(`Error: ${error.message.replace(/^error: /, "")}\nTry: latchkey --help`);
    return exitStatus.usage;
  }
  if (error instanceof ConfigError) {
    for (const { variable, reason, remedy } of error.problems)
      tell(`Error: ${variable}: ${reason}\nTry: ${remedy}`);
    return exitStatus.usage;
  }
  if (error instanceof CommandError) {
    tell(`Error: ${error.message}\nTry: ${error.remedy}`);
    return exitStatus.failed;
  }
  tell(`Error: ${error instanceof Error ? error.message : "unknown failure"}\nTry: latchkey doctor`);
  return exitStatus.failed;
}
