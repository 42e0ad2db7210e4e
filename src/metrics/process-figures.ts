import { readdirSync } from "node:fs";
import type { Figures } from "./figures.ts";

/** What a process has and used. @param name stands for it: `server`, `supervisor`, `worker-1`. */
export function processFigures(name: string): Figures {
  const { user, system } = process.cpuUsage();
  const descriptors = openDescriptors();
  return {
    process_cpu_seconds_total: { [name]: [(user + system) / 1e6] },
    process_resident_memory_bytes: { [name]: [process.memoryUsage.rss()] },
    process_start_time_seconds: { [name]: [performance.timeOrigin / 1_000] },
    ...(descriptors === null ? {} : { process_open_fds: { [name]: [descriptors] } }),
  };
}

/** Null where the system does not tell. */
function openDescriptors(): number | null {
  try {
    // One of them is the directory, while it is read.
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return null;
  }
}
