import { Command as Program, CommanderError, InvalidArgumentError } from "commander";
import { editDistance } from "../config/parse.ts";
import { commandHelp, programHelp } from "./help.ts";
import { addBackup } from "./backup-program.ts";
import { addEvents } from "./events-program.ts";
import { addInstall } from "./install-program.ts";
import { addInvite } from "./invite-program.ts";
import { addMail } from "./mail-program.ts";
import { addPasswords } from "./passwords-program.ts";
import { parseHttpUrl, parseSite, withOutside } from "./outside-options.ts";
import { withPlace } from "./place-options.ts";
import { addSecretRotate } from "./secret-program.ts";
import { addUpgrade } from "./upgrade-program.ts";
import { addUsers } from "./users-program.ts";
import { type Command, type CommandContext, exitStatus } from "./command.ts";
import { reportFailure, sayFailure } from "./failure.ts";

const requestTimeoutMaxMs = 60_000;
const testUsersMax = 1_000;

// Loaded when they run: a server's start does not pay for the doctor, nor a health check for BetterAuth.
const commands = {
  serve: lazy(async () => (await import("./serve.ts")).serve),
  migrate: lazy(async () => (await import("./migrate.ts")).migrate),
  doctor: lazy(async () => (await import("./doctor.ts")).doctor),
  config: lazy(async () => (await import("./print.ts")).printConfig),
  healthcheck: lazy(async () => (await import("./healthcheck.ts")).healthcheck),
  secret: lazy(async () => (await import("./print.ts")).printSecret),
  testserver: lazy(async () => (await import("./testserver.ts")).testserver),
  version: lazy(async () => (await import("./print.ts")).printVersion),
  worker: lazy(async () => (await import("./worker.ts")).worker),
};

function lazy<Options>(load: () => Promise<Command<Options>>): Command<Options> {
  return async (context, options) => await (await load())(context, options);
}

/**
 * Runs one command line. @param argv the arguments after the program's name.
 * @returns the exit status; a failure was printed as `Error: …` and `Try: …` on stderr.
 */
export async function runProgram(argv: readonly string[], context: CommandContext): Promise<number> {
  let status: number = exitStatus.ok;
  const program = createProgram(context, (result) => {
    status = result;
  });
  const first = (commands: readonly Program[] = []) =>
    argv.flatMap((argument) => commands.find((command) => command.name() === argument) ?? [])[0];
  const named = first(program.commands);
  const part = first(named?.commands);
  try {
    requireKnownCommand(program, argv);
    await program.parseAsync(argv, { from: "user" });
    return status;
  } catch (error) {
    const usage = ["latchkey", named?.name(), part?.name(), "--help"].filter(Boolean).join(" ");
    if (error instanceof CommanderError && error.exitCode === 0) return exitStatus.ok;
    const json = argv.includes("--json");
    if (!(error instanceof CommanderError)) return reportFailure(error, context, json);
    sayFailure(context, { message: usageMessage(error), remedy: usage }, json);
    return exitStatus.usage;
  }
}

/** Commander puts its suggestions on a line of their own. */
function usageMessage({ message }: CommanderError): string {
  return message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
}

function createProgram(context: CommandContext, end: (status: number) => void): Program {
  const program = new Program("latchkey")
    .description(
      "A single-binary auth server: e-mail and password sign-in, session cookies, session verification.",
    )
    .option("--json", "print JSON")
    .version(`latchkey ${context.version}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .addHelpText("after", programHelp)
    .exitOverride()
    .configureOutput({ writeOut: (text) => context.stdout(text.trimEnd()), writeErr: () => {} });
  const add = <Options>(
    name: string,
    summary: string,
    command: Command<Options>,
    how: { readonly isDefault?: true; readonly hidden?: true } = {},
  ) =>
    program
      .command(name, how)
      .summary(summary)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
      .option("--json", "print JSON")
      .addHelpText("after", commandHelp(name))
      .allowExcessArguments(false)
      .action(async (options: Options, self: Program) => {
        end(await command(context, { ...options, json: self.optsWithGlobals()["json"] === true }));
      });
  add("serve", "run the server (the default)", commands.serve, { isDefault: true });
  withPlace(add("migrate", "bring the database's schema up to date", commands.migrate)).option(
    "--status",
    "change nothing: say what is applied, pending and unknown",
  );
  withOutside(
    withPlace(
      add(
        "doctor",
        "check everything that the server needs, all at once, or by --url an installation from outside",
        commands.doctor,
      ),
    ),
  )
    .option("--send-test <address>", "send a mail to this address, too")
    .option("--dkim-selector <name>", "look the DKIM record of this name up", parseSelector);
  withPlace(add("config", "print every setting, where it comes from, secrets masked", commands.config));
  withPlace(add("healthcheck", "ask the running server whether it is ready", commands.healthcheck))
    .option("--url <url>", "the server to ask (default: the configured HOST and PORT)", parseHttpUrl)
    .option("--timeout <ms>", "how long it may take, in milliseconds", parseTimeout, 3_000);
  const secret = add("secret", "print a new secret, or rotate the generated one", commands.secret);
  addSecretRotate(secret, context, end);
  add(
    "testserver",
    "serve tests: a free port, a folder of its own, users who are signed in",
    commands.testserver,
  )
    .option("--users <n>", `how many users it has, 1 to ${testUsersMax}`, parseTestUsers, 2)
    .option("--origin <origin>", "a site that may call it; once each (default: those of serve)", parseSite);
  add("version", "print the version", commands.version);
  addBackup(program, context, end);
  addUpgrade(program, context, parseHttpUrl, end);
  addUsers(program, context, end);
  addInvite(program, context, end);
  addMail(program, context, end);
  addPasswords(program, context, end);
  addEvents(program, context, end);
  addInstall(program, context, end);
  // What `serve` starts where LATCHKEY_WORKERS says so.
  add("worker", "serve a part of the connections", commands.worker, { hidden: true });
  return program;
}

/** @throws CommanderError; commander would take an unknown first word for an argument of the default command. */
function requireKnownCommand(program: Program, argv: readonly string[]): void {
  const words = argv.filter((argument) => argument !== "--json");
  const word = words[0] === "help" ? words[1] : words[0];
  if (word === undefined || word.startsWith("-")) return;
  const names = [...program.commands.map((command) => command.name()), "help"];
  if (names.includes(word)) return;
  const near = names.find((name) => name !== "worker" && editDistance(name, word) <= 2);
  const hint = near === undefined ? "" : ` (did you mean ${near}?)`;
  throw new CommanderError(exitStatus.usage, "latchkey.unknownCommand", `unknown command '${word}'${hint}`);
}

function parseSelector(text: string): string {
  if (/^[a-z\d](?:[a-z\d._-]{0,61}[a-z\d])?$/i.test(text)) return text;
  throw new InvalidArgumentError("It is no name of a DKIM record.");
}

function parseTestUsers(text: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= testUsersMax) return count;
  throw new InvalidArgumentError(`It is no whole number from 1 to ${testUsersMax}.`);
}

function parseTimeout(text: string): number {
  const timeoutMs = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (timeoutMs >= 1 && timeoutMs <= requestTimeoutMaxMs) return timeoutMs;
  throw new InvalidArgumentError(`It is no whole number of milliseconds from 1 to ${requestTimeoutMaxMs}.`);
}
