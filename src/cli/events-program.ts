import type { Command as Program } from "commander";
import type { CommandContext } from "./command.ts";
import { commandHelp } from "./help.ts";
import { withPlace } from "./place-options.ts";

/** Adds `latchkey events`, whose log comes from a file or from stdin. @param end hears the exit status. */
export function addEvents(program: Program, context: CommandContext, end: (status: number) => void): void {
  const command = program
    .command("events")
    .summary("print what a log says of a person, an address or a session")
    .description("Prints what a log says of a person, an address or a session.")
    .argument("[file]", "the log (default: stdin)")
    .option("--user <user>", "whom it is about: an e-mail address or an id")
    .option("--address <address>", "where it came from: an address, or a network such as 203.0.113.0/24")
    .option("--session <session>", "in which session: its id, or what the log shows")
    .option("--event <events>", "what happened, such as sign_in,sign_out")
    .option("--outcome <outcome>", "success or failure")
    .option("--since <when>", "24h, 7d, or a date")
    .option("--json", "print JSON")
    .addHelpText("after", commandHelp("events"))
    .allowExcessArguments(false)
    .action(async (file: string | undefined, options: object) => {
      const { events } = await import("./events.ts");
      end(await events(context, { ...options, json: true, ...(file === undefined ? {} : { file }) }));
    });
  withPlace(command);
}
