import { forgetProcess, watchProcess } from "../../test/support/reaper.ts";
import type { Executables } from "../build.ts";
import { linesOf } from "../load/lines.ts";
import { type Cores, pinned } from "../machine/cores.ts";
import { median } from "../report/statistics.ts";
import type { Runner } from "../workloads/interleave.ts";

export interface PasswordsOptions {
  readonly executables: Executables;
  readonly cores: Cores | null;
  readonly hash: string;
  readonly password: string;
  /** Verifications at once. */
  readonly concurrency: number;
}

/** Starts a compiled program that does nothing but verify passwords, on all cores. */
export async function startPasswords({ executables, cores, ...order }: PasswordsOptions): Promise<{
  readonly runner: Runner;
  readonly stop: () => Promise<void>;
}> {
  const child = Bun.spawn(pinned([await executables("bare-passwords")], cores, "all"), {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  watchProcess(child.pid, "KILL");
  const lines = linesOf(child.stdout);
  await lines.next();
  const run: Runner["run"] = async (duration) => {
    void child.stdin.write(`${JSON.stringify({ ...order, ...duration })}\n`);
    void child.stdin.flush();
    const { value } = await lines.next();
    if (value === undefined) throw new Error(`the password program ended with ${await child.exited}`);
    return sampleOf(JSON.parse(value) as Outcome, duration.measureMs);
  };
  const stop = async () => {
    child.kill("SIGTERM");
    await child.exited;
    forgetProcess(child.pid);
  };
  return { runner: { name: "Bun.password.verify", run }, stop };
}

interface Outcome {
  readonly latenciesMs: number[];
  readonly cpuMicros: number;
}

function sampleOf({ latenciesMs, cpuMicros }: Outcome, measureMs: number) {
  return {
    perSecond: (latenciesMs.length / measureMs) * 1000,
    cpuMicros: cpuMicros / latenciesMs.length,
    p50Ms: latenciesMs.length === 0 ? Number.NaN : median(latenciesMs),
    p99Ms:
      latenciesMs.toSorted((left, right) => left - right)[Math.ceil(latenciesMs.length * 0.99) - 1] ??
      Number.NaN,
    serverBusy: cpuMicros / (measureMs * 1000),
    generatorBusy: 0,
  };
}
