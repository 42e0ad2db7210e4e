import RateLimiterRes from "rate-limiter-flexible/lib/RateLimiterRes.js";
import RateLimiterStoreAbstract from "rate-limiter-flexible/lib/RateLimiterStoreAbstract.js";
import type { Count, LimitStore } from "../database/limit-store.ts";

export interface LimiterOptions {
  readonly store: LimitStore;
  /** Before each key. */
  readonly prefix: string;
  /** Tries within the duration. */
  readonly points: number;
  readonly durationSeconds: number;
}

/** Counts tries of a key, and remembers in memory which keys have none left: a flood of those writes nothing. */
export interface Limiter {
  /** Counts a try. @returns how many there were, this one included; where none is left, how long until there is. */
  take(key: string, durationSeconds?: number): Promise<Taken>;
  /** How long a key is known, here, to have none left, in ms; 0 where that is not known. */
  blockedMs(key: string): number;
  /** Uncounts a try. */
  giveBack(key: string): Promise<void>;
  /** Forgets a key. */
  reset(key: string): Promise<void>;
}

type Taken =
  | { readonly isLeft: true; readonly count: number }
  | { readonly isLeft: false; readonly waitMs: number };

export function createLimiter(options: LimiterOptions): Limiter {
  const limiter = new DatabaseLimiter(options);
  return {
    async take(key, durationSeconds = options.durationSeconds) {
      try {
        const { consumedPoints } = await limiter.consume(key, 1, { customDuration: durationSeconds });
        return { isLeft: true, count: consumedPoints };
      } catch (refused) {
        if (!(refused instanceof RateLimiterRes)) throw refused;
        return { isLeft: false, waitMs: refused.msBeforeNext };
      }
    },
    blockedMs: (key) => limiter.getInMemoryBlockMsBeforeExpire(`${options.prefix}:${key}`),
    async giveBack(key) {
      await limiter.reward(key);
      // There may be one left again: the database knows.
      limiter._inMemoryBlockedKeys.delete(`${options.prefix}:${key}`);
    },
    reset: async (key) => void (await limiter.delete(key)),
  };
}

/** rate-limiter-flexible over the database that latchkey has open: its own stores bring drivers of their own. */
class DatabaseLimiter extends RateLimiterStoreAbstract {
  readonly #store: LimitStore;

  constructor({ store, prefix, points, durationSeconds }: LimiterOptions) {
    super({
      storeClient: store,
      keyPrefix: prefix,
      points,
      duration: durationSeconds,
      inMemoryBlockOnConsumed: points + 1,
    });
    this.#store = store;
  }

  async _upsert(key: string, points: number, durationMs: number): Promise<Count> {
    if (points >= 0) return await this.#store.add(key, points, durationMs);
    await this.#store.takeBack(key);
    return { points: 0, expiresAt: 0 };
  }

  async _delete(key: string): Promise<boolean> {
    await this.#store.remove(key);
    return true;
  }

  _getRateLimiterRes(_key: string, changed: number, { points, expiresAt }: Count): RateLimiterRes {
    const msBeforeNext = Math.max(0, expiresAt - Date.now());
    return new RateLimiterRes(Math.max(0, this.points - points), msBeforeNext, points, points === changed);
  }
}
