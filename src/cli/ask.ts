import type { ReadStream } from "node:tty";
import { CommandError } from "../errors.ts";
import type { CommandContext } from "./command.ts";

/** More than any password that is taken, in whichever form. */
const passwordMaxBytes = 4_096;

type Asking = Pick<CommandContext, "stdin" | "prompt">;

/** Takes a new password from stdin, without its last line break; on a terminal asks for it twice, and shows nothing. */
export async function askNewPassword(context: Asking): Promise<string> {
  const input = context.stdin();
  if (!input.isTTY) return await readPassword(input);
  const first = await readLine(context, "New password: ", { isShown: false });
  if (first === (await readLine(context, "Again: ", { isShown: false }))) return first;
  throw wrong("password: the two are not the same", "type the same one twice", "VALIDATION_ERROR");
}

/** @throws CommandError unless somebody at the terminal says yes. */
export async function confirm(context: Asking, question: string): Promise<void> {
  const answer = await readLine(context, `${question} Type yes: `, { isShown: true });
  if (answer.trim().toLowerCase() !== "yes")
    throw new CommandError("nothing was done", "type yes, or add --yes");
}

async function readPassword(input: ReadStream): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > passwordMaxBytes)
      throw wrong("password: stdin holds more than a password", "write it alone", "PASSWORD_TOO_LONG");
    chunks.push(chunk);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw wrong("password: stdin is not UTF-8", "write it in UTF-8", "VALIDATION_ERROR");
  }
  const password = text.replace(/\r?\n$/, "");
  if (password === "")
    throw wrong(
      "password: stdin is empty",
      "write it to stdin, or run this on a terminal",
      "VALIDATION_ERROR",
    );
  if (/[\r\n]/.test(password))
    throw wrong("password: stdin holds more than one line", "write it alone", "VALIDATION_ERROR");
  return password;
}

/** Reads a line from the terminal, which shows nothing of it where it is a secret. */
async function readLine(
  { stdin, prompt }: Asking,
  question: string,
  { isShown }: { readonly isShown: boolean },
): Promise<string> {
  const input = stdin();
  const typed = Promise.withResolvers<string>();
  let line = "";
  const take = (text: string) => {
    for (const character of text) {
      if (character === "\r" || character === "\n") return typed.resolve(line);
      // Ctrl-C and Ctrl-D.
      if (character === "\x03" || character === "\x04")
        return typed.reject(new CommandError("interrupted; nothing was done", "start it again"));
      if (character === "\x7f" || character === "\b") {
        const characters = [...line];
        const gone = characters.pop();
        line = characters.join("");
        if (isShown && gone !== undefined) prompt("\b \b");
      } else if (!/\p{Cc}/u.test(character)) {
        line += character;
        if (isShown) prompt(character);
      }
    }
  };
  const end = () =>
    typed.reject(new CommandError("the terminal was closed; nothing was done", "start it again"));
  prompt(question);
  input.setEncoding("utf8");
  input.setRawMode(true);
  input.on("data", take);
  input.on("end", end);
  input.resume();
  try {
    return await typed.promise;
  } finally {
    input.off("data", take);
    input.off("end", end);
    input.setRawMode(false);
    input.pause();
    prompt("\n");
  }
}

function wrong(message: string, remedy: string, wrongInput: string): CommandError {
  return new CommandError(message, remedy, { wrongInput });
}
