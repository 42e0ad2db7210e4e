import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { LoadedConfig } from "../config/config.ts";
import { type Place, readForeignEnvironment } from "../doctor/foreign-environment.ts";
import { CommandError } from "../errors.ts";
import type { CommandContext } from "./command.ts";

/** Loads settings, and says in words fit to print where they are. */
interface Settings extends Pick<CommandContext, "loadConfig"> {
  readonly from: string;
}

/** Those of this shell, or of the server that the options name. @throws CommandError when they cannot be read. */
export function settingsAt(context: CommandContext, place: Place): Settings {
  const elsewhere = readForeignEnvironment(place, context.cwd);
  if (elsewhere === undefined) return { loadConfig: context.loadConfig, from: "this shell's environment" };
  return {
    loadConfig: (replaced = {}) =>
      context.loadConfigOf({ ...elsewhere.environment, ...replaced }, elsewhere.cwd),
    from: elsewhere.from,
  };
}

/** The configuration of this shell, or of the server that the options name. */
export function loadConfigAt(context: CommandContext, place: Place): LoadedConfig {
  return settingsAt(context, place).loadConfig();
}

/** The options as somebody types them behind a command, for a remedy: ` --unit latchkey`, or nothing. */
export function placeOptions({ envFile, unit, pid }: Place): string {
  const given = { "--env-file": envFile, "--unit": unit, "--pid": pid };
  const typed = Object.entries(given).filter(([, value]) => value !== undefined);
  return typed.map(([option, value]) => ` ${option} ${value}`).join("");
}

/**
 * SQLite gives what root makes beside a file to the file's owner; what anybody else makes there, the server cannot open.
 * @param command what is run on it, for the remedy. @throws CommandError where there is no file, or another user's.
 */
export function requireOwnFile(path: string, command: string): void {
  const elsewhere = "name the server's environment by --unit, --env-file or --pid, or set LATCHKEY_DATA_DIR";
  if (!existsSync(path)) throw new CommandError(`there is no database at ${path}`, elsewhere);
  const own = process.geteuid?.();
  const { uid } = statSync(path);
  if (own === undefined || own === 0 || own === uid) return;
  throw new CommandError(
    `${path} belongs to another user (${uid}), whose server could not open the files that this one (${own}) would make beside it`,
    `run it as root, or as the server's user: setpriv --reuid ${uid} --clear-groups latchkey ${command}`,
  );
}

/** What root makes in another user's folder, that user's server could not open. @throws CommandError where it would be made. */
export function requireOwnFolder(path: string, command: string): void {
  if (process.geteuid?.() !== 0 || existsSync(path)) return;
  let folder = dirname(path);
  while (!existsSync(folder)) folder = dirname(folder);
  const { uid } = statSync(folder);
  if (uid === 0) return;
  throw new CommandError(
    `${path} would be root's, in a folder of another user (${uid}), whose server could not open it`,
    `start the server, which makes it, or run it as the server's user: setpriv --reuid ${uid} --clear-groups latchkey ${command}`,
  );
}
