import { AppError } from "../../errors.ts";

/** The passwords of known data breaches. */
export interface Breaches {
  /** @param sha1 of the password's UTF-8, 20 bytes. @throws where that cannot be found out now. */
  has(sha1: Buffer): Promise<boolean>;
  close(): Promise<void>;
}

export type BreachOutcome = "breached" | "unknown" | "unavailable";

/** What hears of look-ups. */
export interface BreachListener {
  onOutcome(outcome: BreachOutcome): void;
  /** A password is taken that could not be looked up. */
  onUnavailable(cause: unknown): void;
}

/** @throws AppError 400 for a password of a known data breach. One that cannot be looked up is taken. */
export type RequireUnbreached = (password: string) => Promise<void>;

/**
 * Builds the rule that no new password is one of a known data breach, as it was typed or as it is hashed: breaches have
 * what people typed, and whoever tries them here is compared after NFKC.
 */
export function createBreachRule(breaches: Breaches, listener: BreachListener): RequireUnbreached {
  return async (password) => {
    const forms = [...new Set([password, password.normalize("NFKC")])];
    let found: readonly boolean[];
    try {
      found = await Promise.all(forms.map((form) => breaches.has(sha1Of(form))));
    } catch (cause) {
      // Nobody is kept out because somebody else's server is.
      listener.onOutcome("unavailable");
      listener.onUnavailable(cause);
      return;
    }
    listener.onOutcome(found.includes(true) ? "breached" : "unknown");
    if (found.includes(true))
      throw new AppError("PASSWORD_BREACHED", "This password is in a known data breach. Choose another one.");
  };
}

function sha1Of(text: string): Buffer {
  return new Bun.CryptoHasher("sha1").update(text).digest();
}
