import { type Command as Program, CommanderError, InvalidArgumentError } from "commander";
import { parseDuration } from "../config/duration.ts";
import { type CommandContext, exitStatus } from "./command.ts";
import { commandHelp } from "./help.ts";
import { withPlace } from "./place-options.ts";

const day = 24 * 60 * 60;

/** Adds `latchkey invite`, `latchkey invite list` and `latchkey invite withdraw`. @param end hears the exit status. */
export function addInvite(program: Program, context: CommandContext, end: (status: number) => void): void {
  const command = program
    .command("invite")
    .summary("print a link by which one account is made; list and withdraw those that are open")
    .description("Prints a link by which one account is made.")
    .option("--email <email>", "for this address alone")
    .option("--for <duration>", "how long it works: 1m to 90d", parseFor, 7 * day)
    .option("--json", "print JSON")
    .addHelpText("after", commandHelp("invite"))
    .allowExcessArguments(false)
    .action(async (options: { readonly email?: string; readonly for: number }, self: Program) => {
      const { invite } = await import("./invite.ts");
      const { for: seconds, ...rest } = options;
      end(await invite(context, { ...rest, seconds, json: self.optsWithGlobals()["json"] === true }));
    });
  withPlace(command);
  const add = (name: string, summary: string) =>
    command
      .command(name)
      .summary(summary)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
      .option("--json", "print JSON")
      .addHelpText("after", commandHelp(`invite ${name.split(" ")[0]}`))
      .allowExcessArguments(false);
  const options = (self: Program) => {
    for (const name of ["email", "for"])
      if (command.getOptionValueSource(name) === "cli")
        throw new CommanderError(exitStatus.usage, "latchkey.option", `--${name} is for a new invitation`);
    return { ...self.optsWithGlobals(), json: self.optsWithGlobals()["json"] === true };
  };
  add("list", "print the invitations that are open").action(async (_options: unknown, self: Program) => {
    end(await (await import("./invite.ts")).list(context, options(self)));
  });
  add("withdraw <id>", "end an invitation before its time").action(
    async (id: string, _options: unknown, self: Program) => {
      end(await (await import("./invite.ts")).withdraw(context, { ...options(self), id }));
    },
  );
}

function parseFor(text: string): number {
  const parsed = parseDuration(text, 60, 90 * day);
  if (parsed.ok) return parsed.value;
  throw new InvalidArgumentError(`${parsed.reason}: ${parsed.remedy}.`);
}
