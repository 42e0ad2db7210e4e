import type { Command as Program } from "commander";
import type { CommandContext } from "./command.ts";
import { commandHelp } from "./help.ts";
import { withPlace } from "./place-options.ts";

/** Adds `latchkey secret rotate` to `latchkey secret`. @param end hears the exit status. */
export function addSecretRotate(
  secret: Program,
  context: CommandContext,
  end: (status: number) => void,
): void {
  withPlace(
    secret
      .command("rotate")
      .summary("have a new secret sign, beside running servers, and sign nobody out")
      .description("Has a new secret sign the cookies, beside running servers. Nobody is signed out.")
      .option("--json", "print JSON")
      .option("--drop-old", "remove the secrets that no living session can need any more")
      .addHelpText("after", commandHelp("secret rotate"))
      .allowExcessArguments(false),
  ).action(async (_options: unknown, self: Program) => {
    const options = { ...self.opts(), json: self.optsWithGlobals()["json"] === true };
    end(await (await import("./secret-rotate.ts")).rotateSecret(context, options));
  });
}
