import { statSync } from "node:fs";
import type { Config } from "./config/config.ts";
import { loadSecrets, readSecretList, secretPath } from "./data-directory.ts";
import { AppError } from "./errors.ts";

/** The secrets that count: the first signs, all verify. The array is another one when they change. */
export interface Keyring {
  readonly secrets: readonly string[];
  /**
   * For whoever found a signature that none of them made: those that count by now. Looks once a second at the most.
   * @throws AppError 503 while the file was changed and cannot be read, for want of descriptors and the like: nobody knows.
   */
  look(): readonly string[];
  /** For whoever signs: those that count by now. */
  renew(): readonly string[];
}

export interface KeyringDeps {
  /** Hears that the list is another one. */
  readonly onChange: (secrets: readonly string[]) => void;
  /** Hears why a list that was changed cannot be used; those from before go on. */
  readonly onUnusable: (error: unknown) => void;
}

/**
 * A flood of forged cookies costs one look a second. Longer than between the two steps of a rotation, and a process could
 * refuse what another one has signed.
 */
export const lookEveryMs = 1_000;

/**
 * Opens the secrets of a configuration. Those that were generated follow their file, which `latchkey secret rotate` changes
 * beside running servers: it names a secret to all of them before any of them signs with it.
 */
export async function openKeyring(config: Config, deps: KeyringDeps): Promise<Keyring> {
  const { database, dataDir } = config;
  if (config.secrets.length > 0 || database.driver !== "sqlite") return fixedKeyring(config.secrets);
  const path = secretPath(dataDir);
  let secrets = await loadSecrets(config);
  // Of before the file is read: a change in between is seen the next time.
  let seen: string | null = null;
  let lookedAt = Number.NEGATIVE_INFINITY;
  /** Why a changed file could not be read, for as long as it may be read yet. */
  let unread: { readonly reason: unknown } | null = null;
  const renew = (): readonly string[] => {
    const found = versionOf(path);
    if (found === seen) return secrets;
    try {
      const latest = readSecretList(dataDir, database.path).map(({ secret }) => secret);
      unread = null;
      seen = found;
      if (latest.join() === secrets.join()) return secrets;
      secrets = latest;
      deps.onChange(secrets);
    } catch (error) {
      const passes = isPassing(error);
      if (unread === null || !passes) deps.onUnusable(error);
      unread = passes ? { reason: error } : null;
      // The next look tries it again, unless it says for good that it cannot be used.
      if (!passes) seen = found;
    }
    return secrets;
  };
  return {
    get secrets() {
      return secrets;
    },
    look() {
      const now = performance.now();
      if (now - lookedAt >= lookEveryMs) {
        lookedAt = now;
        renew();
      }
      if (unread !== null)
        throw new AppError("STORE_UNAVAILABLE", "The server's secrets cannot be read. Try again shortly.", {
          cause: unread.reason,
          headers: { "Retry-After": "1" },
        });
      return secrets;
    },
    renew,
  };
}

/** What a system lacks for a moment: descriptors, memory, a disk that answers. */
const passingCodes = new Set(["EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "EIO", "EBUSY"]);

function isPassing(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { readonly code?: unknown };
    if (typeof code === "string" && passingCodes.has(code)) return true;
  }
  return false;
}

function fixedKeyring(secrets: readonly string[]): Keyring {
  return { secrets, look: () => secrets, renew: () => secrets };
}

/** Another one after each exchange of the file. */
function versionOf(path: string): string {
  try {
    const { dev, ino, ctimeMs, size } = statSync(path);
    return `${dev}:${ino}:${ctimeMs}:${size}`;
  } catch {
    // Whoever reads it hears why.
    return "";
  }
}
