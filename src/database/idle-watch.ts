import type { SessionStore } from "./sessions/store.ts";

/** Knows how long no request has asked a database that sleeps when nobody does. */
export interface IdleWatch {
  /** Notes that a request asks. */
  use(): void;
  /** In ms. */
  idleMs(): number;
  /** Look-ups that are noted. */
  noting(lookUps: SessionStore): SessionStore;
}

export function createIdleWatch(): IdleWatch {
  let usedAt = performance.now();
  const use = () => void (usedAt = performance.now());
  return {
    use,
    idleMs: () => performance.now() - usedAt,
    noting: (lookUps) => ({
      find(token) {
        use();
        return lookUps.find(token);
      },
      close: () => lookUps.close(),
    }),
  };
}
