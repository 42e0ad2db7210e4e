import { type CommandContext } from "./command.ts";
import { reportFailure } from "./failure.ts";
import { serve } from "./serve.ts";

/**
 * Runs one command line. @param argv the arguments after the program's name.
 * @returns the exit status; a failure was printed as `Error: …` and `Try: …` on stderr.
 */
export async function run(argv: readonly string[], context: CommandContext): Promise<number> {
  const isServe = argv.length === 0 || (argv.length === 1 && argv[0] === "serve");
  // A server's start does without a parser of command lines, nor does memory hold it.
  if (!isServe) return await (await import("./program.ts")).runProgram(argv, context);
  try {
    return await serve(context, { json: false });
  } catch (error) {
    return reportFailure(error, context, false);
  }
}
