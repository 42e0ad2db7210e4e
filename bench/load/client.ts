import { join } from "node:path";
import { forgetProcess, watchProcess } from "../../test/support/reaper.ts";
import { type Cores, pinned } from "../machine/cores.ts";
import { linesOf } from "./lines.ts";
import type { LoadResult, LoadSpec } from "./protocol.ts";

/** A load generator in a process of its own, kept for many runs so that its code is warm. */
export interface Generator {
  /** Rejects when the run could not be made at all; what came back is for the caller to judge. */
  readonly run: (spec: LoadSpec) => Promise<LoadResult>;
  readonly close: () => Promise<void>;
}

export function startGenerator(cores: Cores | null): Generator {
  const program = join(import.meta.dir, "generator.ts");
  const child = Bun.spawn(pinned([process.execPath, program], cores, "others"), {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  watchProcess(child.pid, "KILL");
  const lines = linesOf(child.stdout);
  return {
    async run(spec) {
      void child.stdin.write(`${JSON.stringify(spec)}\n`);
      void child.stdin.flush();
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`the load generator ended with ${await child.exited}`);
      const result = JSON.parse(value) as LoadResult | { readonly error: string };
      if ("error" in result) throw new Error(`the load generator: ${result.error}`);
      return result;
    },
    async close() {
      child.kill("SIGTERM");
      await child.exited;
      forgetProcess(child.pid);
    },
  };
}
