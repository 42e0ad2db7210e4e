import { join } from "node:path";
import { forgetProcess, watchProcess } from "../../test/support/reaper.ts";
import { type Cores, pinned } from "../machine/cores.ts";
import { linesOf } from "./lines.ts";

export interface CommitsOptions {
  /** `file:…` or `postgres://…`, past any relay. */
  readonly url: string;
  readonly perSecond: number;
  readonly userId: string;
  readonly cores: Cores | null;
}

export interface Commits {
  /** @returns how many commits a second were made. */
  readonly stop: () => Promise<number>;
}

/** Starts a process that commits session rows; resolves once it does. */
export async function startCommits({ cores, ...order }: CommitsOptions): Promise<Commits> {
  const program = join(import.meta.dir, "committer.ts");
  const child = Bun.spawn(pinned([process.execPath, program, JSON.stringify(order)], cores, "others"), {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  watchProcess(child.pid, "KILL");
  const lines = linesOf(child.stdout);
  const ready = await lines.next();
  if (ready.value !== "ready") throw new Error(`the committing process ended with ${await child.exited}`);
  return {
    async stop() {
      child.kill("SIGTERM");
      const { value } = await lines.next();
      await child.exited;
      forgetProcess(child.pid);
      if (value === undefined) throw new Error(`the committing process ended with ${child.exitCode}`);
      return (JSON.parse(value) as { perSecond: number }).perSecond;
    },
  };
}
