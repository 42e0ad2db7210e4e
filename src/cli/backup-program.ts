import { type Command as Program, InvalidArgumentError, Option } from "commander";
import { keepMax } from "../config/backups.ts";
import type { CommandContext } from "./command.ts";
import { commandHelp } from "./help.ts";
import { withPlace, withPlaceAtRest } from "./place-options.ts";

/** Adds `latchkey backup` and `latchkey restore`. @param end hears the exit status. */
export function addBackup(program: Program, context: CommandContext, end: (status: number) => void): void {
  const add = (name: "backup" | "restore", summary: string) =>
    program
      .command(`${name} <file>`)
      .summary(summary)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
      .option("--json", "print JSON")
      .addHelpText("after", commandHelp(name))
      .allowExcessArguments(false);
  const how = (self: Program) => ({ ...self.opts(), json: self.optsWithGlobals()["json"] === true });
  withPlace(add("backup", "copy the database, beside the server that runs on it"))
    .option("--with-secret", "copy the generated secret too, to <file>.secret")
    .option(
      "--keep <n>",
      "<file> is a folder: add a backup to it, and remove all but the n newest",
      parseKeep,
    )
    .option("--verify-into <url>", "of PostgreSQL: try the dump in this database, which is empty")
    // What `serve` starts where LATCHKEY_BACKUP_DIR says so, with --keep and --json.
    .addOption(new Option("--scheduled <seconds>").argParser(Number).hideHelp())
    .action(async (file: string, _options: unknown, self: Program) => {
      end(await (await import("./backup.ts")).backup(context, { ...how(self), file }));
    });
  withPlaceAtRest(add("restore", "put a backup in the place of the embedded database, or into an empty one"))
    .option("--secret <file>", "put a saved secret where the generated one is")
    .action(async (file: string, _options: unknown, self: Program) => {
      end(await (await import("./restore.ts")).restore(context, { ...how(self), file }));
    });
}

function parseKeep(text: string): number {
  const keep = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (keep >= 1 && keep <= keepMax) return keep;
  throw new InvalidArgumentError(`It is no whole number from 1 to ${keepMax}.`);
}
