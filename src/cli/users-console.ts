import { Writable } from "node:stream";
import confirm from "@inquirer/confirm";
import input from "@inquirer/input";
import { type ListedUser, listUsers, type Position, type UserPage } from "../database/users.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { CommandError } from "../errors.ts";
import { inColumns, printable } from "./columns.ts";
import { type Command, type CommandContext, exitStatus } from "./command.ts";
import { reportFailure } from "./failure.ts";
import { lock, revoke, sessions, show, unlock } from "./users.ts";
import { onUsers } from "./users-session.ts";

/** Users that are shown at once: fewer lines than any terminal has. */
const pageSize = 10;
/** The longest e-mail address there is, in characters. */
const searchMax = 254;

type Options = Parameters<Command<Place>>[1];

/** What is looked at: users whose address or name has `search`, behind `after`. */
interface View {
  readonly search?: string;
  readonly after?: Position;
}

/** What somebody wants next: to see others, to open one, or to leave. */
type Wish = View | { readonly user: ListedUser } | "leave";

/**
 * Shows users on a terminal and does what is asked for, until somebody leaves. What is printed stays: only the line that is
 * being typed is ever written anew, so that a screen reader has it all, once, in its order.
 */
export const browse: Command<Place> = async (context, options) => {
  const terminal = openTerminal(context);
  try {
    let view: View = {};
    for (;;) {
      const page = await load(context, options, view);
      printPage(context, page, view);
      const wish = await askWish(context, terminal, page, view);
      if (wish === "leave") return exitStatus.ok;
      if (!("user" in wish)) view = wish;
      else if ((await visit(context, options, terminal, wish.user)) === "leave") return exitStatus.ok;
    }
  } catch (error) {
    if (isLeaving(error)) return exitStatus.ok;
    throw error;
  }
};

async function load(context: CommandContext, options: Options, { search, after }: View): Promise<UserPage> {
  return await onUsers(context, options, undefined, ({ database }) =>
    listUsers(database, { search, limit: pageSize, after }),
  );
}

function printPage({ stdout }: CommandContext, { users }: UserPage, { search }: View): void {
  const which = search === undefined ? "" : ` with ${printable(search)}`;
  stdout(users.length === 0 ? `\nNo users${which}.` : `\nUsers${which}, the newest first:`);
  if (users.length > 0)
    stdout(inColumns(users.map(({ email, name }, at) => [`${at + 1}`, printable(email), printable(name)])));
}

async function askWish(
  context: CommandContext,
  terminal: Terminal,
  { users, next }: UserPage,
  { search, after }: View,
): Promise<Wish> {
  const isPart = search !== undefined || after !== undefined;
  const choices = [
    ...(users.length > 0 ? ["a number opens that user"] : []),
    "/ and a text searches",
    ...(next === undefined ? [] : ["n: the next users"]),
    ...(isPart ? ["a: all users from the start"] : []),
    "q: leave",
  ];
  for (;;) {
    const answer = await terminal.ask(choices.join(", "));
    if (answer === "q") return "leave";
    if (answer === "a" && isPart) return {};
    if (answer === "n" && next !== undefined)
      return { ...(search === undefined ? {} : { search }), after: next };
    const text = answer.startsWith("/") ? answer.slice(1).trim() : "";
    if (text !== "" && text.length <= searchMax) return { search: text };
    const user = /^\d{1,2}$/.test(answer) ? users[Number(answer) - 1] : undefined;
    if (user !== undefined) return { user };
    context.stderr("That is none of these.");
  }
}

/** Shows one user, and does what is asked for. @returns whether to leave all. */
async function visit(
  context: CommandContext,
  options: Options,
  terminal: Terminal,
  { id, email }: ListedUser,
): Promise<"again" | "leave"> {
  const one = { ...options, user: id };
  const who = printable(email);
  // A user who has been deleted meanwhile, a database that is away for a moment: said, and the list goes on.
  const attempt = async (work: () => Promise<number>) => {
    try {
      return (await work()) === exitStatus.ok;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      reportFailure(error, context, false);
      return false;
    }
  };
  if (!(await attempt(() => show(context, one)))) return "again";
  for (;;) {
    const answer = await terminal.ask(
      "s: sessions, r: end all sessions, r and a session: end that one, l: lock, u: unlock, b: back to the users, q: leave",
    );
    const [word = "", session, ...more] = answer.split(/\s+/);
    if (word === "b" || word === "q") return word === "b" ? "again" : "leave";
    if (word === "s") await attempt(() => sessions(context, one));
    else if (answer === "l") {
      if (await terminal.confirm(`Lock ${who}?`)) await attempt(() => lock(context, one));
    } else if (answer === "u") await attempt(() => unlock(context, one));
    else if (word === "r" && more.length === 0) {
      const what =
        session === undefined ? `all sessions of ${who}` : `session ${printable(session)} of ${who}`;
      if (await terminal.confirm(`End ${what}?`))
        await attempt(() => revoke(context, { ...one, ...(session === undefined ? {} : { session }) }));
    } else context.stderr("That is none of these.");
  }
}

interface Terminal {
  /** @returns what was typed, without blanks around it. @throws where somebody leaves by Ctrl-C or Ctrl-D. */
  ask(choices: string): Promise<string>;
  confirm(question: string): Promise<boolean>;
}

function openTerminal({ stdin, prompt }: CommandContext): Terminal {
  const typed = stdin();
  const left = new AbortController();
  const leave = () => left.abort();
  typed.on("end", leave);
  typed.on("keypress", (_text, key: { readonly ctrl: boolean; readonly name?: string }) => {
    if (key.ctrl && key.name === "d") leave();
  });
  // A question ends what it was written to.
  const how = () => ({
    input: typed,
    output: new Writable({
      write(chunk: Buffer, _encoding, done) {
        prompt(chunk.toString());
        done();
      },
    }),
    signal: left.signal,
  });
  // No marks in front of a question: a screen reader would read them out.
  const theme = { prefix: "" };
  return {
    ask: async (choices) => {
      // A line of its own, which is said once: the one below it is written anew at every key.
      prompt(`${choices}\n`);
      return (await input({ message: "Choice:", theme }, how())).trim();
    },
    confirm: async (message) => await confirm({ message, default: false, theme }, how()),
  };
}

/** Whether somebody left by Ctrl-C, by Ctrl-D, or by closing the terminal. */
function isLeaving(error: unknown): boolean {
  return error instanceof Error && ["ExitPromptError", "AbortPromptError"].includes(error.name);
}
