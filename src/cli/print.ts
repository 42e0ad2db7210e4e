import type { Setting } from "../config/config.ts";
import { generateSecret } from "../data-directory.ts";
import type { Place } from "../doctor/foreign-environment.ts";
import { inColumns } from "./columns.ts";
import { type Command, exitStatus } from "./command.ts";
import { loadConfigAt } from "./place.ts";

/** Prints every setting with its source, secrets masked, and the warnings on stderr. */
export const printConfig: Command<Place> = async (context, { json, ...place }) => {
  const { stdout, stderr } = context;
  const { settings, warnings } = loadConfigAt(context, place);
  if (json) stdout(JSON.stringify(settings));
  else stdout(inColumns([["NAME", "VALUE", "SOURCE"], ...settings.map(rowOf)]));
  for (const warning of warnings) stderr(`Warning: ${warning}`);
  return exitStatus.ok;
};

/** Prints a new secret, 256 random bits in base64, and nothing else. */
export const printSecret: Command = async ({ stdout }, { json }) => {
  const secret = generateSecret();
  stdout(json ? JSON.stringify({ secret }) : secret);
  return exitStatus.ok;
};

/** Prints the version, and as JSON the runtime's too. */
export const printVersion: Command = async ({ stdout, version }, { json }) => {
  stdout(json ? JSON.stringify({ version, bun: Bun.version }) : `latchkey ${version}`);
  return exitStatus.ok;
};

function rowOf({ name, value, source, variable }: Setting): readonly string[] {
  const place = source === "file" ? `file (${variable})` : source;
  // An alias such as CORS_ALLOWED_ORIGINS is named: it is what has to be changed.
  const isAlias = source === "environment" && variable !== null && variable !== name;
  return [name, value === "" ? "-" : value, isAlias ? `${place} (${variable})` : place];
}
