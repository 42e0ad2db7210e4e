import { type Command as Program, InvalidArgumentError } from "commander";
import type { CommandContext } from "./command.ts";
import { commandHelp } from "./help.ts";
import { withPlace } from "./place-options.ts";

/** In seconds. */
const timeoutMax = 86_400;

/** Adds `latchkey upgrade`. @param parseUrl of a server to ask. @param end hears the exit status. */
export function addUpgrade(
  program: Program,
  context: CommandContext,
  parseUrl: (text: string) => URL,
  end: (status: number) => void,
): void {
  const summary = "take the place of this executable by a newer one, and go back where it fails";
  withPlace(
    program
      .command("upgrade")
      .summary(summary)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
      .option("--json", "print JSON")
      .requiredOption("--from <file>", "the new executable")
      .option("--checksums <file>", "the release's SHA256SUMS (default: beside the new executable)")
      .option("--signature <file>", "what signs it (default: <checksums>.minisig)")
      .option("--key <key>", "trust this minisign public key, or the file of one, and no other")
      .option("--insecure-no-signature", "take whatever the file is")
      .option("--allow-downgrade", "take an older version too, or the same")
      .option("--dry-run", "check everything, and change nothing")
      .option("--snapshot-dir <folder>", "where the database is copied to (default: before-upgrade/)")
      .option("--no-snapshot", "do not copy the database")
      .option("--restart-command <command>", "how the server is restarted, where not by systemd")
      .option("--no-restart", "do not restart it, nor wait for it")
      .option(
        "--health-url <url>",
        "where it says that it is ready (default: the configured HOST and PORT)",
        parseUrl,
      )
      .option("--timeout <seconds>", "how long it may take to be ready", parseSeconds, 120)
      .addHelpText("after", commandHelp("upgrade"))
      .allowExcessArguments(false),
  ).action(async (_options: unknown, self: Program) => {
    const options = { ...self.opts(), json: self.optsWithGlobals()["json"] === true };
    const { upgrade } = await import("./upgrade.ts");
    end(await upgrade(context, options as Parameters<typeof upgrade>[1]));
  });
}

function parseSeconds(text: string): number {
  const seconds = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= timeoutMax) return seconds;
  throw new InvalidArgumentError(`It is no whole number of seconds from 1 to ${timeoutMax}.`);
}
