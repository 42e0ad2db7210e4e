import { type RunningLatchkey, spawnLatchkey } from "../../test/support/executable.ts";
import { type CoreSet, type Cores, pinned } from "../machine/cores.ts";

/** A server under measurement. */
export interface Target {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

export interface TargetOptions {
  readonly name: string;
  readonly executable: string;
  readonly args?: readonly string[];
  /** The environment, whole. */
  readonly env: Readonly<Record<string, string>>;
  readonly cores: Cores | null;
  /** Default: the one core of a server. */
  readonly on?: CoreSet;
}

/** Starts a compiled program and waits for its line `{"event":"listening","url":…}`. */
export async function startTarget({
  name,
  executable,
  args = [],
  env,
  cores,
  on = "server",
}: TargetOptions): Promise<Target> {
  const [program = executable, ...rest] = pinned([executable, ...args], cores, on);
  const running = await spawnLatchkey({ executable: program, args: rest, env });
  return { name, url: running.url, pid: running.pid, stop: () => stopServer(running) };
}

/** SIGTERM; whether a program drains is not measured here. */
async function stopServer(running: RunningLatchkey): Promise<void> {
  await running.stop();
}
