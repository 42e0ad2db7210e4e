import { existsSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { loadSecrets, secretPath } from "../data-directory.ts";

/** The server's secrets that are there: a command makes none. */
export async function knownSecrets(config: Config): Promise<readonly string[]> {
  const isGenerated = config.secrets.length === 0;
  return isGenerated && !existsSync(secretPath(config.dataDir)) ? [] : await loadSecrets(config);
}
