import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { childrenOf } from "./process-usage.ts";

/** Which cores a server and everything around it run on; null where nothing is pinned. */
export interface Cores {
  readonly taskset: string;
  /** The one core of the server under measurement. */
  readonly server: string;
  /** The other cores, as `taskset -c` reads them: load generator, writers. */
  readonly others: string;
  /** Of databases and relays: those of the generator, or of the server where the generator is to have its own. */
  readonly databases: string;
  /** Both: for programs whose work is on several threads by design. */
  readonly all: string;
  /** How many `all` are. */
  readonly count: number;
}

/**
 * Pins where `taskset` is there and two cores are allowed; else the system's scheduler decides, for every target alike.
 * @param kind `scale` gives the generator the last core and the server all others, with the databases on them.
 */
export function planCores(kind: "one core" | "scale" = "one core"): Cores | null {
  const taskset = Bun.which("taskset");
  const allowed = allowedCores();
  const [server, ...others] = allowed;
  if (taskset === null || server === undefined || others.length === 0) return null;
  const shared = { taskset, all: allowed.join(","), count: allowed.length };
  if (kind === "scale") {
    const servers = allowed.slice(0, -1).join(",");
    return { ...shared, server: servers, databases: servers, others: String(allowed.at(-1)) };
  }
  // A sibling shares the server's execution units: only used when there is no other core.
  const apart = others.filter((core) => !siblingsOf(server).includes(core));
  const around = (apart.length > 0 ? apart : others).join(",");
  return { ...shared, server: String(server), others: around, databases: around };
}

export type CoreSet = "server" | "others" | "databases" | "all";

/** The command as it has to be started to run on `cores`; unchanged where nothing is pinned. */
export function pinned(command: readonly string[], cores: Cores | null, on: CoreSet): string[] {
  return cores === null ? [...command] : [cores.taskset, "-c", cores[on], ...command];
}

/** Moves a process that runs already, with its children and what both start later on, to some of the cores. */
export async function pinRunning(pid: number, cores: Cores | null, on: CoreSet): Promise<void> {
  if (cores === null) return;
  for (const one of [pid, ...childrenOf(pid)]) {
    const command = [cores.taskset, "-a", "-c", "-p", cores[on], String(one)];
    // A child that has ended meanwhile needs no core.
    await Bun.spawn(command, { stdout: "ignore", stderr: "ignore" }).exited;
  }
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
