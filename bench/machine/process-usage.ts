import { readFileSync } from "node:fs";

/** Linux counts a process's time in hundredths of a second, whatever the kernel's own tick. */
const microsPerTick = 10_000;

/** CPU time of a process and of those that it started and that still run, in µs; null where there is no /proc. */
export function cpuMicros(pid: number): number | null {
  return sumOverChildren(pid, 2);
}

/** The same with those of its children that have ended, as a server database's connections do. */
export function cpuMicrosOfAll(pid: number): number | null {
  return sumOverChildren(pid, 4);
}

/** Of the processes that it started and that still run. */
export function childrenOf(pid: number): number[] {
  return (readText(`/proc/${pid}/task/${pid}/children`)?.match(/\d+/g) ?? []).map(Number);
}

function sumOverChildren(pid: number, fields: 2 | 4): number | null {
  const own = ownCpuMicros(pid, fields);
  return own === null
    ? null
    : childrenOf(pid).reduce((sum, child) => sum + (ownCpuMicros(child, fields) ?? 0), own);
}

/** Of all of its threads, user and system; with four fields, of children that it has waited for, too. */
function ownCpuMicros(pid: number, count: 2 | 4): number | null {
  try {
    // The name in parentheses may contain spaces; utime, stime, cutime and cstime are the 14th to 17th fields.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return fields.slice(11, 11 + count).reduce((sum, ticks) => sum + Number(ticks), 0) * microsPerTick;
  } catch {
    return null;
  }
}

/** Memory of a process in MB (10^6 bytes). */
export interface MemoryUsage {
  /** Resident, pages of the executable included that other processes may share. */
  readonly rss: number;
  /** Resident, shared pages divided among those who share them; null where the system does not say. */
  readonly pss: number | null;
}

export function memoryUsage(pid: number): MemoryUsage {
  const status = readText(`/proc/${pid}/status`);
  if (status === undefined) return { rss: rssByPs(pid), pss: null };
  const rollup = readText(`/proc/${pid}/smaps_rollup`);
  return { rss: kilobytes(status, "VmRSS") ?? 0, pss: kilobytes(rollup ?? "", "Pss") ?? null };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function kilobytes(text: string, name: string): number | undefined {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
  return found === undefined ? undefined : (Number(found) * 1024) / 1e6;
}

function rssByPs(pid: number): number {
  const { stdout } = Bun.spawnSync(["ps", "-o", "rss=", "-p", String(pid)]);
  return (Number(stdout.toString().trim()) * 1024) / 1e6;
}
