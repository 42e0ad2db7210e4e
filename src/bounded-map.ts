/** A map of strings that keeps a fixed number of entries; once it is full, the oldest makes room for what came twice. */
export interface BoundedMap<V> {
  get(key: string): V | undefined;
  /** Where another key would have to leave, a new one is only kept when it was set before, lately. */
  set(key: string, value: V): void;
  delete(key: string): void;
  clear(): void;
  readonly size: number;
}

/**
 * Builds a bounded map whose every operation costs the same however full it is: the keys' order stands in a ring, since
 * asking a Map for its oldest key walks over all that were deleted before it (30 µs at 12,000 entries).
 */
export function createBoundedMap<V>(max: number): BoundedMap<V> {
  const entries = new Map<string, V>();
  const ring: string[] = [];
  const doorkeeper = createDoorkeeper();
  let next = 0;
  return {
    get: (key) => entries.get(key),
    set(key, value) {
      if (!entries.has(key)) {
        const oldest = ring[next];
        // A key that was deleted and set again has two places; at worst it leaves early.
        if (oldest !== undefined && entries.has(oldest)) {
          if (!doorkeeper.isKnown(key)) return;
          entries.delete(oldest);
        }
        ring[next] = key;
        next = (next + 1) % max;
      }
      entries.set(key, value);
    },
    delete(key) {
      entries.delete(key);
    },
    clear() {
      entries.clear();
      ring.length = 0;
      next = 0;
    },
    get size() {
      return entries.size;
    },
  };
}

/** Remembers roughly what was seen lately, in a fixed 64 KiB: enough to tell what comes again from what came once. */
export interface Doorkeeper {
  /** Whether `text` was seen lately, as far as that is remembered; it counts as seen from now on. */
  isKnown(text: string): boolean;
}

const slots = 16_384;

/**
 * Builds a doorkeeper (Einziger, Friedman and Manes, TinyLFU, 2017): what it does not know is not worth a place in a
 * cache, so that a stream of visitors who come once neither fills memory nor drives out those who come again.
 */
export function createDoorkeeper(): Doorkeeper {
  const seen = new Int32Array(slots);
  return {
    isKnown(text) {
      const hash = hashOf(text);
      const slot = hash & (slots - 1);
      if (seen[slot] === hash) return true;
      // Not always, or texts that share a slot and come in turn would drive each other out for ever.
      if (seen[slot] === 0 || Math.random() < 0.5) seen[slot] = hash;
      return false;
    },
  };
}

/** FNV-1a over the code units, in 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash;
}
