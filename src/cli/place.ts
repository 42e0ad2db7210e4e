import { existsSync, statSync } from "node:fs";
import type { LoadedConfig } from "../config/config.ts";
import { type Place, readForeignEnvironment } from "../doctor/foreign-environment.ts";
import { CommandError } from "../errors.ts";
import type { CommandContext } from "./command.ts";

/** The configuration of this shell, or of the server that the options name. */
export function loadConfigAt(context: CommandContext, place: Place): LoadedConfig {
  const elsewhere = readForeignEnvironment(place, context.cwd);
  return elsewhere === undefined
    ? context.loadConfig()
    : context.loadConfigOf(elsewhere.environment, elsewhere.cwd);
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
