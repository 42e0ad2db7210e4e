/** Remembers texts for a while, and of those no more than a fixed number. */
export interface Lately {
  has(text: string): boolean;
  add(text: string): void;
}

/**
 * Builds a memory of two halves, of which the older is forgotten whole: `forMs` to twice that, or for as long as it takes
 * `max` others to come.
 * @param now a clock in ms.
 */
export function createLately(forMs: number, max: number, now: () => number): Lately {
  let recent = new Set<string>();
  let former = new Set<string>();
  let since = now();
  const age = () => {
    const elapsed = now() - since;
    if (elapsed < forMs && recent.size < max) return;
    former = elapsed < 2 * forMs ? recent : new Set();
    recent = new Set();
    since = now();
  };
  return {
    has(text) {
      age();
      return recent.has(text) || former.has(text);
    },
    add(text) {
      age();
      recent.add(text);
    },
  };
}
