import type { Command } from "./command.ts";

/** Prints the version, and with `--json` the runtime's too. */
export const version: Command = async ({ print, version: current }, { json }) => {
  print(json ? JSON.stringify({ version: current, bun: Bun.version }) : `latchkey ${current}`);
  return 0;
};
