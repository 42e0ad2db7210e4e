import { foreignHashOf, someHashOf } from "./foreign-hash.ts";
import { createHashPriority } from "./hash-priority.ts";
import type { InTurn } from "./hash-slots.ts";

/** What a hash with argon2id costs, on one lane. */
export interface HashCost {
  readonly memoryKib: number;
  readonly passes: number;
}

/** OWASP's parameters of argon2id. */
const owaspCost: HashCost = { memoryKib: 19_456, passes: 2 };

/** Beyond these a stored hash is hostile or broken: verifying it would take the machine down. */
const argon2Limits = { memoryKib: 262_144, passes: 10, lanes: 4 };
const argon2Pattern =
  /^\$argon2(?:id|i|d)\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$[A-Za-z0-9+/]{8,128}\$[A-Za-z0-9+/]{16,128}$/;
/** BetterAuth's own form: salt and key in hexadecimal, N=16384 r=16 p=1. */
const scryptPattern = /^[0-9a-f]{32}:[0-9a-f]{128}$/;
/** What BetterAuth's hashes are called among the kinds; they cost more than twice as much as latchkey's. */
export const betterAuthKind = "scrypt";
/** Nobody's. */
const someScrypt = `${"0".repeat(32)}:${"0".repeat(128)}`;

type CompareForeign = (compared: { hash: string; password: string }) => Promise<boolean>;

const verifyScrypt: CompareForeign = async (compared) => {
  const { verifyPassword } = await import("better-auth/crypto");
  return await verifyPassword(compared);
};

export interface Passwords {
  hash(password: string): Promise<string>;
  /** False also for a stored hash of an unknown or extreme form. */
  verify(stored: string, password: string): Promise<boolean>;
  /**
   * Computes in vain what a refusal by another kind of stored hash, or for want of one, has cost: by the time that a
   * refusal takes, no account is to be told from none.
   * @param stored what the password was compared with; null where there was nothing.
   */
  balance(stored: string | null, password: string): Promise<void>;
  /** Whether a hash that verified should be replaced by a current one. */
  isOutdated(stored: string): boolean;
}

export interface PasswordsDeps {
  /** Runs a hash when one may be computed. */
  readonly inTurn: InTurn;
  /** The kinds of hashes in the database that others made: `betterAuthKind`, or what a foreign hash's `kind` says. */
  readonly foreignKinds: () => Promise<readonly string[]>;
  /** Of a server for tests, and of no other: OWASP's is what everybody else has. */
  readonly cost?: HashCost;
}

/**
 * Hashes with argon2id off the event loop.
 * @param compareForeign verifies BetterAuth's own kind of hash.
 */
export function createPasswords(
  { inTurn: whenFree, foreignKinds, cost: { memoryKib, passes } = owaspCost }: PasswordsDeps,
  compareForeign: CompareForeign = verifyScrypt,
): Passwords {
  const argon2id = { algorithm: "argon2id", memoryCost: memoryKib, timeCost: passes } as const;
  const currentPrefix = `$argon2id$v=19$m=${memoryKib},t=${passes},p=1$`;
  const lower = createHashPriority(() => performance.now());
  const inTurn: InTurn = (work) => whenFree(() => work().finally(lower));
  const hash = (password: string) => inTurn(() => Bun.password.hash(computable(password), argon2id));
  const verifyScrypted = (stored: string, password: string) =>
    inTurn(() => compareForeign({ hash: stored, password: password.normalize("NFKC") }));
  const verifySome = async (kind: string, password: string): Promise<void> => {
    const some = someHashOf(kind);
    if (kind === betterAuthKind) await verifyScrypted(someScrypt, password);
    else if (some !== undefined) await inTurn(() => some.compare(password));
  };
  return {
    hash,
    async verify(stored, password) {
      if (scryptPattern.test(stored)) return await verifyScrypted(stored, password);
      const foreign = foreignHashOf(stored);
      if (foreign !== undefined) return await inTurn(() => foreign.compare(password));
      if (!isAffordable(stored)) return false;
      return await inTurn(() => Bun.password.verify(computable(password), stored));
    },
    async balance(stored, password) {
      const compared = stored === null ? undefined : foreignKindOf(stored);
      if (stored === null || compared !== undefined || !isAffordable(stored)) await hash(password);
      for (const kind of await foreignKinds()) if (kind !== compared) await verifySome(kind, password);
    },
    isOutdated: (stored) => !stored.startsWith(currentPrefix),
  };
}

/**
 * Bun throws when it is to hash an empty text, and refuses one against a hash without computing anything: by either,
 * accounts could be told from strangers. NUL, which no password has, takes its place.
 */
function computable(password: string): string {
  return password === "" ? "\0" : password.normalize("NFKC");
}

/** The kind of a hash that others made and that is computed; undefined for latchkey's, and for one that is not. */
function foreignKindOf(stored: string): string | undefined {
  return scryptPattern.test(stored) ? betterAuthKind : foreignHashOf(stored)?.kind;
}

/** What an import may put into the database as it is; undefined where that is neither latchkey's nor BetterAuth's. */
export function ownKindOf(written: string): "current" | typeof betterAuthKind | undefined {
  if (scryptPattern.test(written)) return betterAuthKind;
  const prefix = `$argon2id$v=19$m=${owaspCost.memoryKib},t=${owaspCost.passes},p=1$`;
  return written.startsWith(prefix) && isAffordable(written) ? "current" : undefined;
}

function isAffordable(stored: string): boolean {
  const [, memoryKib, passes, lanes] = argon2Pattern.exec(stored) ?? [];
  return (
    Number(memoryKib) <= argon2Limits.memoryKib &&
    Number(passes) <= argon2Limits.passes &&
    Number(lanes) <= argon2Limits.lanes
  );
}
