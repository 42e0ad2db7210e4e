import { cpus, loadavg, release, totalmem } from "node:os";
import type { Cores } from "./cores.ts";

/** What a reader needs to judge the figures; nothing that names the machine. */
export interface MachineFacts {
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly bun: string;
  readonly pinning: string;
  /** Of the last minute, when the run began: much above 0, and others were at work on the machine. */
  readonly loadAverage: number;
  readonly commit: string | null;
}

export function machineFacts(cores: Cores | null): MachineFacts {
  const processors = cpus();
  return {
    platform: `${process.platform} ${release()} ${process.arch}`,
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 1e9),
    bun: Bun.version,
    pinning:
      cores === null
        ? "none"
        : `server on core ${cores.server}, databases on ${cores.databases}, load generator on ${cores.others}`,
    loadAverage: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    commit: commitOf(),
  };
}

function commitOf(): string | null {
  try {
    const { stdout, success } = Bun.spawnSync(["git", "rev-parse", "--short", "HEAD"], {
      cwd: import.meta.dir,
    });
    return success ? stdout.toString().trim() : null;
  } catch {
    return null;
  }
}
