const intervalMs = 60_000;
/** More different ones within a minute are not told apart: anybody can send any. */
const keysMax = 100;

/** Says of a key whether it is time to tell of it: how many were kept to oneself since the last time, or null for silence. */
export type OnceAMinute = (key: string) => number | null;

/** @param now the clock, in ms. */
export function createOnceAMinute(now: () => number): OnceAMinute {
  const told = new Map<string, { at: number; silent: number }>();
  return (key) => {
    const at = now();
    const isOver = (last: number) => at - last >= intervalMs || at < last;
    const last = told.get(key);
    if (last !== undefined && !isOver(last.at)) {
      last.silent += 1;
      return null;
    }
    if (last === undefined && told.size >= keysMax) {
      for (const [known, { at: when }] of told) if (isOver(when)) told.delete(known);
      if (told.size >= keysMax) return null;
    }
    told.set(key, { at, silent: 0 });
    return last?.silent ?? 0;
  };
}
