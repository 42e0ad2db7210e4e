import { type Command as Program, CommanderError, InvalidArgumentError } from "commander";
import { type CommandContext, exitStatus } from "./command.ts";
import { commandHelp } from "./help.ts";

const minCountMax = 1_000_000_000;

/** Adds `latchkey passwords` and what it does. @param end hears the exit status. */
export function addPasswords(program: Program, context: CommandContext, end: (status: number) => void): void {
  const parent = program
    .command("passwords")
    .summary("make the file of breached passwords")
    .description("Makes the file in which new passwords are looked up among those of data breaches.")
    .option("--json", "print JSON")
    .argument("[subcommand]")
    .usage("[options] <command>")
    .addHelpText("after", commandHelp("passwords"))
    .action((word: string | undefined) => {
      const what =
        word === undefined ? "passwords: name what to do: build" : `unknown command 'passwords ${word}'`;
      throw new CommanderError(exitStatus.usage, "latchkey.unknownCommand", what);
    });
  parent
    .command("build <list> <file>")
    .summary("make it of a downloaded list; - for stdin")
    .description("Makes a new file of a downloaded list of Pwned Passwords; - for stdin.")
    .option("--json", "print JSON")
    .option("--min-count <n>", "leave out what was seen less often", parseMinCount, 1)
    .addHelpText("after", commandHelp("passwords build"))
    .allowExcessArguments(false)
    .action(async (list: string, file: string, _options: unknown, self: Program) => {
      const options = self.optsWithGlobals<{ json?: boolean; minCount: number }>();
      const { buildPasswords } = await import("./passwords-build.ts");
      end(await buildPasswords(context, { ...options, json: options.json === true, list, file }));
    });
}

function parseMinCount(text: string): number {
  const count = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= minCountMax) return count;
  throw new InvalidArgumentError(`It is no whole number from 1 to ${minCountMax}.`);
}
