import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Environment } from "../config/config.ts";

/** Settings whose files stay readable, whatever becomes of the service. */
interface Held {
  readonly environment: Environment;
  /** Removes the copies. */
  release(): void;
}

/** Where systemd keeps the credentials of a service, for as long as that runs. */
const credentials = "/run/credentials/";

/**
 * Copies the credentials that settings name, for this user alone: with the service they go away, and whoever is to say then
 * which executable can work on its database needs them.
 * @throws where one cannot be read.
 */
export function holdCredentials(environment: Environment): Held {
  const named = Object.entries(environment).filter(([, value]) => value?.startsWith(credentials));
  if (named.length === 0) return { environment, release() {} };
  // In memory, where root may write.
  const folder = mkdtempSync(join(process.geteuid?.() === 0 ? "/run" : tmpdir(), "latchkey-upgrade-"));
  const release = () => {
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const held = named.map(([name, path = ""]) => {
      const copy = join(folder, path.slice(credentials.length));
      mkdirSync(dirname(copy), { recursive: true });
      copyFileSync(path, copy);
      return [name, copy] as const;
    });
    return { environment: { ...environment, ...Object.fromEntries(held) }, release };
  } catch (error) {
    release();
    throw error;
  }
}
