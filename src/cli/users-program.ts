import { type Command as Program, CommanderError, InvalidArgumentError } from "commander";
import { editDistance } from "../config/parse.ts";
import { CommandError } from "../errors.ts";
import { commandHelp } from "./help.ts";
import { type Command, type CommandContext, exitStatus } from "./command.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { withPlace } from "./place-options.ts";
import { addTransfers } from "./users-transfer-program.ts";
import type * as users from "./users.ts";

const limitMax = 1_000;
const limitDefault = 50;

/** Adds `latchkey users` and what it does. @param end hears the exit status. */
export function addUsers(program: Program, context: CommandContext, end: (status: number) => void): void {
  const parent = program
    .command("users")
    .summary("list users, make, change, lock and delete them, end their sessions")
    .description("Lists users, makes, changes, locks and deletes them, and ends their sessions.")
    .option("--json", "print JSON")
    .argument("[subcommand]")
    .usage("[options] <command>")
    .addHelpText("after", commandHelp("users"))
    .allowExcessArguments(true)
    .action(async (word: string | undefined, options: Place & { json?: boolean }) => {
      const json = parent.optsWithGlobals()["json"] === true;
      if (word !== undefined || json || !context.isInteractive()) throw unknownSubcommand(parent, word);
      const { browse } = await import("./users-console.ts");
      end(await browse(context, { ...options, json }));
    });
  withPlace(parent);
  /** @param names of its arguments, as the command gets them. */
  const add = <Options>(
    name: string,
    names: readonly string[],
    summary: string,
    load: (commands: typeof users) => Command<Options>,
  ) => {
    const command = parent
      .command([name, ...names.map((argument) => `<${argument}>`)].join(" "))
      .summary(summary)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
      .option("--json", "print JSON")
      .addHelpText("after", commandHelp(`users ${name}`))
      .allowExcessArguments(false)
      // Those that name the server.
      .configureHelp({
        showGlobalOptions: true,
        visibleGlobalOptions: () => parent.options.filter(({ long }) => long !== "--json"),
      })
      .action(async (...given: unknown[]) => {
        const self = given.at(-1) as Program;
        const values = Object.fromEntries(names.map((argument, at) => [argument, given[at]]));
        const options = { ...self.optsWithGlobals(), ...values } as Options & { json?: boolean };
        end(await load(await import("./users.ts"))(context, { ...options, json: options.json === true }));
      });
    return command;
  };
  add("list", [], "print users, the newest first", (all) => all.list)
    .option("--search <text>", "those whose e-mail address or name has it, in whichever case", parseSearch)
    .option("--limit <n>", `how many, 1 to ${limitMax}`, parseLimit, limitDefault)
    .option("--after <cursor>", "the page behind the one that ended with it");
  add("show", ["user"], "print one user", (all) => all.show);
  withoutPassword(
    add("create", ["email"], "make a user, who signs in with the password from stdin", (all) => all.create),
  ).requiredOption("--name <name>", "the user's name");
  add("rename", ["user", "name"], "set a user's name", (all) => all.rename);
  add("verify-email", ["user"], "note that a user has the e-mail address", (all) => all.verifyEmail);
  add("set-email", ["user", "email"], "set a user's e-mail address", (all) => all.setEmail);
  withoutPassword(
    add(
      "set-password",
      ["user"],
      "set a user's password, from stdin, and end all sessions",
      (all) => all.setPassword,
    ),
  ).option("--keep-sessions", "leave the user signed in");
  add("sessions", ["user"], "print a user's live sessions, the newest first", (all) => all.sessions);
  add("revoke", ["user"], "end all sessions of a user", (all) => all.revoke).option(
    "--session <session>",
    "one alone, as `sessions` or the log name it",
  );
  add("lock", ["user"], "end all sessions of a user, and let none begin", (all) => all.lock);
  add("unlock", ["user"], "let a locked user sign in again", (all) => all.unlock);
  add(
    "recovery-link",
    ["user"],
    "print a link where a user sets a new password, once",
    (all) => all.recoveryLink,
  );
  addTransfers(parent, context, end);
  add("delete", ["user"], "delete a user with all sessions, for good", (all) => all.remove).option(
    "--yes",
    "do not ask",
  );
}

/** A password among the arguments is refused, and not repeated: a list of processes shows it to every user of the machine. */
function withoutPassword(command: Program): Program {
  const refuse = (): never => {
    throw new CommandError(
      "password: is taken from stdin alone, since every user of this machine can read arguments",
      `latchkey users ${command.name()} … < a file with the password, or without it on a terminal, which asks`,
      { wrongInput: "VALIDATION_ERROR" },
    );
  };
  const expected = command.registeredArguments.length;
  return command
    .addOption(command.createOption("--password [password]").hideHelp().argParser(refuse))
    .on("option:password", refuse)
    .allowExcessArguments(true)
    .hook("preAction", (_parent, self) => {
      if (self.args.length > expected) refuse();
    });
}

function unknownSubcommand(parent: Program, word: string | undefined): CommanderError {
  const names = parent.commands.map((command) => command.name());
  const near = names.find((name) => word !== undefined && editDistance(name, word) <= 2);
  const what =
    word === undefined
      ? `users: name what to do: ${names.join(", ")}`
      : `unknown command 'users ${word}'${near === undefined ? "" : ` (did you mean ${near}?)`}`;
  return new CommanderError(exitStatus.usage, "latchkey.unknownCommand", what);
}

function parseLimit(text: string): number {
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= limitMax) return limit;
  throw new InvalidArgumentError(`It is no whole number from 1 to ${limitMax}.`);
}

function parseSearch(text: string): string {
  if (text !== "" && text.length <= 254 && text.isWellFormed() && !text.includes("\0")) return text;
  throw new InvalidArgumentError("It is no text of 1 to 254 characters.");
}
