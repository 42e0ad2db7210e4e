import { verifyPassword as verifyScrypt } from "better-auth/crypto";
import PQueue from "p-queue";
import { AppError } from "../errors.ts";

/** OWASP's argon2id parameters; memory in KiB. */
const argon2id = { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 } as const;
const currentPrefix = "$argon2id$v=19$m=19456,t=2,p=1$";

/** Beyond these a stored hash is hostile or broken: verifying it would take the machine down. */
const argon2Limits = { memoryKib: 262_144, passes: 10, lanes: 4 };
const argon2Pattern =
  /^\$argon2(?:id|i|d)\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$[A-Za-z0-9+/]{8,128}\$[A-Za-z0-9+/]{16,128}$/;
/** BetterAuth's own form: salt and key in hexadecimal, N=16384 r=16 p=1. */
const scryptPattern = /^[0-9a-f]{32}:[0-9a-f]{128}$/;

export interface Passwords {
  hash(password: string): Promise<string>;
  /** False also for a stored hash of an unknown or extreme form. */
  verify(stored: string, password: string): Promise<boolean>;
  /** Whether a hash that verified should be replaced by a current one. */
  isOutdated(stored: string): boolean;
}

/**
 * Hashes with argon2id off the event loop, at most `concurrency` at once (which must be fewer than cores: the cookie
 * signatures queue in the same thread pool) and `waiting` more in line.
 * @throws AppError 503 with `Retry-After` when the line is full.
 */
export function createPasswords(limits: {
  readonly concurrency: number;
  readonly waiting: number;
}): Passwords {
  const queue = new PQueue({ concurrency: limits.concurrency });
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (queue.size >= limits.waiting) {
      throw tooBusy();
    }
    return await queue.add(work);
  };
  return {
    hash: (password) => inTurn(() => Bun.password.hash(password.normalize("NFKC"), argon2id)),
    async verify(stored, password) {
      const normalized = password.normalize("NFKC");
      if (scryptPattern.test(stored))
        return await inTurn(() => verifyScrypt({ hash: stored, password: normalized }));
      if (!isAffordable(stored)) return false;
      return await inTurn(() => Bun.password.verify(normalized, stored));
    },
    isOutdated: (stored) => !stored.startsWith(currentPrefix),
  };
}

/** The 503 of a line of hashes that is full. */
export function tooBusy(): AppError {
  return new AppError("TOO_BUSY", "Too many sign-ins at once. Try again shortly.", {
    headers: { "Retry-After": "2" },
  });
}

function isAffordable(stored: string): boolean {
  const [, memoryKib, passes, lanes] = argon2Pattern.exec(stored) ?? [];
  return (
    Number(memoryKib) <= argon2Limits.memoryKib &&
    Number(passes) <= argon2Limits.passes &&
    Number(lanes) <= argon2Limits.lanes
  );
}
