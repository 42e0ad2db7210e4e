import { type Command as Program, InvalidArgumentError } from "commander";
import { settingList } from "../config/settings.ts";
import type { SetSetting } from "../systemd/settings-file.ts";
import type { CommandContext } from "./command.ts";
import { commandHelp } from "./help.ts";

/** Adds `latchkey install` and `latchkey uninstall`. @param end hears the exit status. */
export function addInstall(program: Program, context: CommandContext, end: (status: number) => void): void {
  const add = (name: "install" | "uninstall", summary: string) =>
    program
      .command(name)
      .summary(summary)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
      .option("--json", "print JSON")
      .option("--print", "change nothing: print what it would do")
      .option("--root <folder>", "of an image: the folder that holds its /; nothing is started there")
      .addHelpText("after", commandHelp(name))
      .allowExcessArguments(false);
  const how = (self: Program) => ({ ...self.opts(), json: self.optsWithGlobals()["json"] === true });
  add("install", "make a systemd service of this executable, and start it")
    .option("--set <name=value>", "a setting for /etc/latchkey/latchkey.env; once each", parseSetting)
    .option("--no-start", "start it at the next boot, and not now")
    .action(async (_options: unknown, self: Program) => {
      end(await (await import("./install.ts")).install(context, how(self)));
    });
  add("uninstall", "remove the service that install made; accounts and settings stay")
    .option("--purge", "remove accounts, settings and the user, too")
    .action(async (_options: unknown, self: Program) => {
      end(await (await import("./install.ts")).uninstall(context, how(self)));
    });
}

function parseSetting(text: string, others: readonly SetSetting[] = []): readonly SetSetting[] {
  const [, name = "", value = ""] = /^([A-Z][A-Z\d_]*)=([^\n\r\0]*)$/.exec(text) ?? [];
  if (name === "") throw new InvalidArgumentError("It is no NAME=value.");
  const isSecret = settingList.some((setting) => setting.secret === true && setting.name === name);
  // What a command line holds, every user of the machine reads.
  if (isSecret)
    throw new InvalidArgumentError(`${name} is a secret: set ${name}_FILE, or write it into the file.`);
  const known = settingList.some((setting) => [setting.name, `${setting.name}_FILE`].includes(name));
  if (!known) throw new InvalidArgumentError(`${name} is not a setting.`);
  return [...others, { name, value }];
}
