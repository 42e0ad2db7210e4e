import { type Command as Program, CommanderError, InvalidArgumentError } from "commander";
import { editDistance } from "../config/parse.ts";
import { type Command, type CommandContext, exitStatus } from "./command.ts";
import { commandHelp } from "./help.ts";
import type * as mail from "./mail.ts";
import { withPlace } from "./place-options.ts";

const limitMax = 10_000;
const limitDefault = 100;

/** Adds `latchkey mail` and what it does. @param end hears the exit status. */
export function addMail(program: Program, context: CommandContext, end: (status: number) => void): void {
  const parent = program
    .command("mail")
    .summary("list mail that waits or was given up, try it again, drop it; send a test")
    .description("Lists mail that waits or was given up, tries it again, drops it, and sends a test.")
    .option("--json", "print JSON")
    .argument("[subcommand]")
    .usage("[options] <command>")
    .addHelpText("after", commandHelp("mail"))
    .allowExcessArguments(true)
    .action((word: string | undefined) => {
      throw unknownSubcommand(parent, word);
    });
  withPlace(parent);
  const add = <Options>(
    name: string,
    argument: string | null,
    summary: string,
    load: (commands: typeof mail) => Command<Options>,
  ) =>
    parent
      .command(argument === null ? name : `${name} ${argument}`)
      .summary(summary)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
      .option("--json", "print JSON")
      .addHelpText("after", commandHelp(`mail ${name}`))
      .allowExcessArguments(false)
      .action(async (...given: unknown[]) => {
        const self = given.at(-1) as Program;
        const key = argument?.replaceAll(/[<>[\]]/g, "");
        const value = key === undefined || given[0] === undefined ? {} : { [key]: given[0] };
        const options = { ...self.optsWithGlobals(), ...value } as Options & { json?: boolean };
        end(await load(await import("./mail.ts"))(context, { ...options, json: options.json === true }));
      });
  add("queue", null, "print what waits and what was given up, the oldest first", (all) => all.queue).option(
    "--limit <n>",
    `how many, 1 to ${limitMax}`,
    parseLimit,
    limitDefault,
  );
  add("retry", "[id]", "try a mail again now, also one that was given up", (all) => all.retry).option(
    "--all",
    "every one",
  );
  add("drop", "<id>", "forget a mail, which is not sent then", (all) => all.drop);
  add(
    "preview",
    "<kind>",
    "print what a mail looks like, by the templates that are set",
    (all) => all.preview,
  )
    .option("--language <code>", "en, de, es, fr or ja", "en")
    .option("--part <part>", "html, txt or subject", "html");
  add("test", "<address>", "send a mail now, and say what the mail server says", (all) => all.test);
}

function unknownSubcommand(parent: Program, word: string | undefined): CommanderError {
  const names = parent.commands.map((command) => command.name());
  const near = names.find((name) => word !== undefined && editDistance(name, word) <= 2);
  const what =
    word === undefined
      ? `mail: name what to do: ${names.join(", ")}`
      : `unknown command 'mail ${word}'${near === undefined ? "" : ` (did you mean ${near}?)`}`;
  return new CommanderError(exitStatus.usage, "latchkey.unknownCommand", what);
}

function parseLimit(text: string): number {
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= limitMax) return limit;
  throw new InvalidArgumentError(`It is no whole number from 1 to ${limitMax}.`);
}
