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
