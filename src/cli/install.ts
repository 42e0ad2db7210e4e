import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { environmentIn } from "../doctor/foreign-environment.ts";
import { CommandError } from "../errors.ts";
import { stepsOfInstallation, stepsOfRemoval } from "../systemd/installation.ts";
import { servicePaths } from "../systemd/service-files.ts";
import type { SetSetting } from "../systemd/settings-file.ts";
import { type DoneStep, findProgram, perform, type Step } from "../systemd/steps.ts";
import { ownCommand } from "../workers/worker-process.ts";
import { type Command, type CommandContext, exitStatus } from "./command.ts";

interface Options {
  /** Whether it says what it would do, and does nothing. */
  readonly print?: boolean;
  /** The folder of an image. */
  readonly root?: string;
}

/** Makes a service of this executable: `latchkey install`. */
export const install: Command<
  Options & { readonly set?: readonly SetSetting[]; readonly start?: boolean }
> = async (context, { print = false, root: folder, set: settings = [], start: starts = true, json }) => {
  const root = rootOf(context, folder);
  const [executable = "", ...rest] = ownCommand();
  if (rest.length > 0)
    throw new CommandError("this is latchkey's source, and no executable", "bun run build");
  const steps = stepsOfInstallation({ root, executable, settings, starts });
  if (settings.length > 0) requireSoundSettings(context, root, steps);
  if (!print) requireRoot("install", root);
  const end = say(context, steps, { print, json, root });
  if (print || json || root !== "/") return end;
  const { stdout } = context;
  stdout(`Settings  ${servicePaths.settings}, read at the start: systemctl restart latchkey`);
  stdout("Log       journalctl -u latchkey -o cat");
  stdout(starts ? `Running   ${statusText()}` : "Start it  systemctl start latchkey");
  return end;
};

/** Removes what `latchkey install` made. */
export const uninstall: Command<Options & { readonly purge?: boolean }> = async (
  context,
  { print = false, root: folder, purge = false, json },
) => {
  const root = rootOf(context, folder);
  if (!print) requireRoot("uninstall", root);
  const steps = stepsOfRemoval(root, purge, root === "/" && isActive());
  const end = say(context, steps, { print, json, root });
  if (!json && !print && !purge)
    context.stdout(
      `Kept      ${servicePaths.configuration}, ${servicePaths.data} and the user they belong to`,
    );
  return end;
};

function rootOf({ cwd }: CommandContext, folder: string | undefined): string {
  if (process.platform !== "linux")
    throw new CommandError("systemd is of Linux, and this is another system", "run it on the server");
  const root = resolve(cwd, folder ?? "/");
  if (existsSync(join(root, "etc"))) return root;
  throw new CommandError(`${root} holds no system: there is no etc in it`, "name the folder of an image's /");
}

/** @throws CommandError where it could not do all that it has to. */
function requireRoot(command: string, root: string): void {
  if (process.geteuid?.() !== 0)
    throw new CommandError(
      `latchkey ${command} changes /etc and /usr/local, the system's users and services, and you are not root`,
      `sudo latchkey ${command}, or latchkey ${command} --print to see what it would do`,
    );
  if (root === "/" && !existsSync("/run/systemd/system"))
    throw new CommandError(
      "systemd does not run here, which would start the service",
      `in an image: latchkey ${command} --root FOLDER; in a container start latchkey itself`,
    );
}

/** Of a service that is there already, drop-ins may hold the rest. @throws ConfigError with every problem. */
function requireSoundSettings({ loadConfigOf }: CommandContext, root: string, steps: readonly Step[]): void {
  if (existsSync(join(root, servicePaths.dropIns))) return;
  for (const step of steps)
    if (step.action === "write" && step.path === servicePaths.settings)
      loadConfigOf({ STATE_DIRECTORY: servicePaths.data, ...environmentIn(step.text) }, servicePaths.data);
}

/** Does the steps, or only shows them. @returns the exit status. */
function say(
  { stdout }: CommandContext,
  steps: readonly Step[],
  { print, json, root }: { readonly print: boolean; readonly json: boolean; readonly root: string },
): number {
  const done: readonly (Step & Partial<DoneStep>)[] = print ? steps : perform(steps, root);
  if (json) stdout(JSON.stringify({ root, steps: done.map(jsonOf) }));
  else for (const step of done) if (step.changed !== false) stdout(print ? shown(step) : lineOf(step));
  return exitStatus.ok;
}

function jsonOf(step: Step & Partial<DoneStep>): object {
  if (step.action !== "write") return "mode" in step ? { ...step, mode: octal(step.mode) } : step;
  const { shown: text = step.text, ...rest } = step;
  return { ...rest, mode: octal(step.mode), text };
}

function lineOf(step: Step): string {
  if (step.action === "run") return `${"run".padEnd(9)} ${step.command.join(" ")}`;
  return `${step.action.padEnd(9)} ${step.path}`;
}

/** With all that it writes, or of a file with another's secrets in it what it changes. */
function shown(step: Step): string {
  const owner = "owner" in step ? step.owner : "root:root";
  if (!("mode" in step)) return lineOf(step);
  const line = `${lineOf(step)} (${octal(step.mode)} ${owner})`;
  if (step.action !== "write") return line;
  return [line, ...(step.shown ?? step.text).trimEnd().split("\n")].join("\n    ");
}

const octal = (mode: number) => mode.toString(8).padStart(4, "0");

const systemctl = () => findProgram("systemctl") ?? "systemctl";

/** Whether the service runs, by whatever unit. */
function isActive(): boolean {
  if (!existsSync("/run/systemd/system")) return false;
  const show = [systemctl(), "show", "--property=ActiveState", "--value", "latchkey.service"];
  const state = Bun.spawnSync(show, { stdin: "ignore" }).stdout.toString().trim();
  return !["inactive", "failed", ""].includes(state);
}

/** What the service says of itself. */
function statusText(): string {
  const show = [systemctl(), "show", "--property=StatusText", "--value", "latchkey.service"];
  return Bun.spawnSync(show, { stdin: "ignore" }).stdout.toString().trim();
}
