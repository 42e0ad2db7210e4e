import { readFileSync } from "node:fs";

/** Linux counts a process's time in hundredths of a second, whatever the kernel's own tick. */
const microsPerTick = 10_000;

/**
 * CPU time of a process and of those that it started, in µs, also of those that have ended: a database's connections come
 * and go. Null where there is no /proc.
 */
export function cpuMicros(pid: number): number | null {
  const own = processMicros(pid);
  return own === null ? null : childrenOf(pid).reduce((sum, child) => sum + (processMicros(child) ?? 0), own);
}

/** Of the processes that it started and that still run. */
export function childrenOf(pid: number): number[] {
  return (readText(`/proc/${pid}/task/${pid}/children`)?.match(/\d+/g) ?? []).map(Number);
}

function processMicros(pid: number): number | null {
  const stat = readText(`/proc/${pid}/stat`);
  return stat === undefined ? null : usedMicros(stat, readText(`/proc/${pid}/schedstat`) ?? "");
}

/**
 * Reads proc(5)'s `stat`, the time of all threads and of the children that were waited for, in ticks, and `schedstat`,
 * that of the first thread in ns: all of the time of a database's connection, of which many take less than a tick.
 * @returns µs, user and system.
 */
export function usedMicros(stat: string, schedstat: string): number {
  // The name in parentheses may contain spaces; utime, stime, cutime and cstime are the 14th to 17th fields.
  const ticks = stat.split(") ").at(-1)?.split(" ").slice(11, 15).map(Number) ?? [];
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = ticks;
  const firstThread = (Number.parseInt(schedstat, 10) || 0) / 1000;
  return (
    Math.max((user + system) * microsPerTick, firstThread) + (childrenUser + childrenSystem) * microsPerTick
  );
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
