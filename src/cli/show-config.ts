import type { Setting } from "../config/config.ts";
import { exitStatus } from "./exit-status.ts";
import type { Command } from "./command.ts";
import { table } from "./table.ts";

/** Prints every setting with its source, secrets masked, and the warnings on stderr. */
export const config: Command = async ({ loadConfig, print, tell }, { json }) => {
  const { settings, warnings } = loadConfig();
  if (json) print(JSON.stringify(settings));
  else print(table([["NAME", "VALUE", "SOURCE"], ...settings.map(row)]));
  for (const warning of warnings) tell(`Warning: ${warning}`);
  return exitStatus.ok;
};

function row({ name, value, source, variable }: Setting): readonly string[] {
  const place = source === "file" ? `file (${variable})` : source;
  // An alias such as CORS_ALLOWED_ORIGINS is named: it is what has to be changed.
  const isAlias = source === "environment" && variable !== null && variable !== name;
  return [name, value === "" ? "-" : value, isAlias ? `${place} (${variable})` : place];
}
