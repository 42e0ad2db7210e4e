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
  return await onTerminal(context, async (readLine) => {
    const first = await readLine("New password: ", { isShown: false });
    if (first === (await readLine("Again: ", { isShown: false }))) return first;
    throw wrong("password: the two are not the same", "type the same one twice", "VALIDATION_ERROR");
  });
}

/** Takes a password that there is from stdin, without its last line break; on a terminal asks for it, and shows nothing. */
export async function askPassword(context: Asking): Promise<string> {
  const input = context.stdin();
  if (!input.isTTY) return await readPassword(input);
  return await onTerminal(context, (readLine) => readLine("Password: ", { isShown: false }));
}

/** @throws CommandError unless somebody at the terminal says yes. */
export async function confirm(context: Asking, question: string): Promise<void> {
  const answer = await onTerminal(context, (readLine) =>
    readLine(`${question} Type yes: `, { isShown: true }),
  );
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

type ReadLine = (question: string, how: { readonly isShown: boolean }) => Promise<string>;

/** Has the terminal show by itself nothing of what is typed, from before the first question to behind the last. */
async function onTerminal<T>(
  { stdin, prompt }: Asking,
  work: (readLine: ReadLine) => Promise<T>,
): Promise<T> {
  const input = stdin();
  let typed = "";
  let isClosed = false;
  let wake = () => {};
  const take = (text: string) => {
    typed += text;
    wake();
  };
  const end = () => {
    isClosed = true;
    wake();
  };
  const next = async (): Promise<string> => {
    while (typed === "") {
      if (isClosed) throw new CommandError("the terminal was closed; nothing was done", "start it again");
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const [character = ""] = typed;
    typed = typed.slice(character.length);
    return character;
  };
  const readLine: ReadLine = async (question, { isShown }) => {
    prompt(question);
    const line: string[] = [];
    for (;;) {
      const character = await next();
      if (character === "\r" || character === "\n") {
        prompt("\n");
        return line.join("");
      }
      // Ctrl-C and Ctrl-D, which are no signals here.
      if (character === "\x03" || character === "\x04") {
        prompt("\n");
        throw new CommandError("interrupted; nothing was done", "start it again");
      }
      if (character === "\x7f" || character === "\b") {
        if (line.pop() !== undefined && isShown) prompt("\b \b");
      } else if (!/\p{Cc}/u.test(character)) {
        line.push(character);
        if (isShown) prompt(character);
      }
    }
  };
  input.setEncoding("utf8");
  input.setRawMode(true);
  input.on("data", take);
  input.on("end", end);
  try {
    return await work(readLine);
  } finally {
    input.off("data", take);
    input.off("end", end);
    input.setRawMode(false);
    input.pause();
  }
}

function wrong(message: string, remedy: string, wrongInput: string): CommandError {
  return new CommandError(message, remedy, { wrongInput });
}
