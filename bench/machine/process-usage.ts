import { readFileSync } from "node:fs";

/** Linux counts a process's time in hundredths of a second, whatever the kernel's own tick. */
const microsPerTick = 10_000;

/** CPU time of a process and of those that it started and that still run, in µs; null where there is no /proc. */
export function cpuMicros(pid: number): number | null {
  const own = ownCpuMicros(pid);
  const children = readText(`/proc/${pid}/task/${pid}/children`)?.match(/\d+/g) ?? [];
  return own === null ? null : children.reduce((sum, child) => sum + (ownCpuMicros(Number(child)) ?? 0), own);
}

/** Of all of its threads, user and system. */
function ownCpuMicros(pid: number): number | null {
  try {
    // The name in parentheses may contain spaces; utime and stime are the 14th and 15th fields.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * microsPerTick;
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
