import { readdirSync, readFileSync } from "node:fs";
import { openLibc } from "../libc.ts";

/** Of 19: a quarter of a core's time beside a thread of 0 that wants all of it, and all of it beside none. */
const niceness = 5;
/** Bun's threads that hash are made when they are first needed. */
const everyMs = 1_000;
/** PRIO_PROCESS, which Linux takes for a thread where it is given one's number. */
const oneThread = 0;

/** Lets the event loop's thread come before those that hash, wherever both want a core: Linux keeps it by thread. */
export function createHashPriority(now: () => number): () => void {
  if (process.platform !== "linux") return () => {};
  const libc = openLibc({ setpriority: { args: ["int", "u32", "int"], returns: "int" } });
  const lowered = new Set<string>();
  let askedAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (libc === null || now() - askedAt < everyMs) return;
    askedAt = now();
    for (const thread of threads()) {
      // A thread has its parent's name until it takes its own.
      if (lowered.has(thread) || !nameOf(thread).startsWith("Bun Pool")) continue;
      libc.setpriority(oneThread, Number(thread), niceness);
      lowered.add(thread);
    }
  };
}

/** None where they cannot be read, as when every descriptor is taken: no hash is to fail of that. */
function threads(): readonly string[] {
  try {
    return readdirSync("/proc/self/task");
  } catch {
    return [];
  }
}

function nameOf(thread: string): string {
  try {
    return readFileSync(`/proc/self/task/${thread}/comm`, "utf8");
  } catch {
    // It has ended.
    return "";
  }
}
