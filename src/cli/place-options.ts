import { type Command as Program, InvalidArgumentError } from "commander";

/** Adds the options that name the server whose settings a command takes: `Place`. */
export function withPlace(command: Program): Program {
  return withPlaceAtRest(command).option(
    "--pid <pid>",
    "take the environment of a running latchkey",
    parsePid,
  );
}

/** Those that need no server that runs. */
export function withPlaceAtRest(command: Program): Program {
  return command
    .option("--env-file <file>", "take the environment from a file of NAME=value lines")
    .option("--unit <unit>", "take the environment of a systemd service, by its name or its file");
}

function parsePid(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is no process id.");
}
