declare module "rate-limiter-flexible/lib/RateLimiterStoreAbstract.js" {
  import type { RateLimiterStoreAbstract as Published } from "rate-limiter-flexible";
  export default class RateLimiterStoreAbstract extends Published {
    /** How long a key, its prefix included, is known to have no point left, in ms. */
    getInMemoryBlockMsBeforeExpire(key: string): number;
    /** Those keys. */
    readonly _inMemoryBlockedKeys: { delete(key: string): void };
  }
}
declare module "rate-limiter-flexible/lib/RateLimiterRes.js" {
  export { RateLimiterRes as default } from "rate-limiter-flexible";
}
