import { generateSecret } from "../data-directory.ts";
import { exitStatus } from "./exit-status.ts";
import type { Command } from "./command.ts";

/** Prints a new secret, 256 random bits in base64, and nothing else. */
export const secret: Command = async ({ print }, { json }) => {
  const generated = generateSecret();
  print(json ? JSON.stringify({ secret: generated }) : generated);
  return exitStatus.ok;
};
