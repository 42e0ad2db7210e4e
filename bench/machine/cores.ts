import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Which cores a server and everything around it run on; null where nothing is pinned. */
export interface Cores {
  readonly taskset: string;
  /** The one core of the server under measurement. */
  readonly server: string;
  /** The other cores, as `taskset -c` reads them: load generator, database, relays, writers. */
  readonly others: string;
  /** Both: for programs whose work is on several threads by design. */
  readonly all: string;
  /** How many `all` are. */
  readonly count: number;
}

/** Pins where `taskset` is there and two cores are allowed; else the system's scheduler decides, for every target alike. */
export function planCores(): Cores | null {
  const taskset = Bun.which("taskset");
  const allowed = allowedCores();
  const [server, ...others] = allowed;
  if (taskset === null || server === undefined || others.length === 0) return null;
  // A sibling shares the server's execution units: only used when there is no other core.
  const apart = others.filter((core) => !siblingsOf(server).includes(core));
  return {
    taskset,
    server: String(server),
    others: (apart.length > 0 ? apart : others).join(","),
    all: allowed.join(","),
    count: allowed.length,
  };
}

export type CoreSet = "server" | "others" | "all";

/** The command as it has to be started to run on `cores`; unchanged where nothing is pinned. */
export function pinned(command: readonly string[], cores: Cores | null, on: CoreSet): string[] {
  return cores === null ? [...command] : [cores.taskset, "-c", cores[on], ...command];
}

/** Moves a process that runs already, with what it starts later on, to the cores around the server. */
export async function pinOthers(pid: number, cores: Cores | null): Promise<void> {
  if (cores === null) return;
  await Bun.spawn([cores.taskset, "-a", "-c", "-p", cores.others, String(pid)], { stdout: "ignore" }).exited;
}

function allowedCores(): number[] {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return list === undefined ? [] : expand(list);
  } catch {
    // No /proc: not Linux, and no taskset either.
    return Array.from({ length: availableParallelism() }, (_, core) => core);
  }
}

function siblingsOf(core: number): number[] {
  try {
    const path = `/sys/devices/system/cpu/cpu${core}/topology/thread_siblings_list`;
    return expand(readFileSync(path, "utf8").trim());
  } catch {
    return [core];
  }
}

/** `0-2,5` → 0, 1, 2, 5. */
function expand(list: string): number[] {
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, step) => first + step);
  });
}
