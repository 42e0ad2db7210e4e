import { type Command as Program, Option } from "commander";
import type { CommandContext } from "./command.ts";
import { commandHelp } from "./help.ts";

/** Adds `latchkey users import` and `latchkey users export`. @param end hears the exit status. */
export function addTransfers(parent: Program, context: CommandContext, end: (status: number) => void): void {
  const add = (name: string, usage: string, summary: string) =>
    parent
      .command(usage)
      .summary(summary)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
      .option("--json", "print JSON")
      .addHelpText("after", commandHelp(`users ${name}`))
      .allowExcessArguments(false)
      .addOption(
        new Option(
          "--format <format>",
          "JSON Lines or CSV (default: by the file's name, else jsonl)",
        ).choices(["jsonl", "csv"]),
      );
  const how = (self: Program) => {
    const options = self.optsWithGlobals();
    return { ...options, json: options["json"] === true };
  };
  add("import", "import <file>", "make users of a file's lines, with their passwords' hashes; - for stdin")
    .option("--atomic", "import all, or where a line is refused nobody")
    .option("--dry-run", "change nothing: say what would be imported and refused")
    .action(async (file: string, _options: unknown, self: Program) => {
      const { importUsers } = await import("./import/import.ts");
      end(await importUsers(context, { ...how(self), file }));
    });
  add("export", "export", "write all users, as they are at one moment")
    .option("--with-hashes", "with the passwords' hashes, which are secret")
    .option("--output <file>", "write to a new file, for its owner alone, instead of stdout")
    .action(async (_options: unknown, self: Program) => {
      end(await (await import("./users-export.ts")).exportUsers(context, how(self)));
    });
}
