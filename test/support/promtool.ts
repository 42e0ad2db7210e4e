import { type DebianPackage, debianProgram } from "./debian.ts";
import { once } from "./reaper.ts";

const prometheusPackage: DebianPackage = {
  suite: "bookworm",
  name: "prometheus",
  program: "usr/bin/promtool",
};

interface PromtoolResult {
  readonly exitCode: number;
  /** Of both streams. */
  readonly output: string;
}

/** Prometheus' own tool, which says what Prometheus would. */
export type Promtool = (args: readonly string[], stdin?: string) => Promise<PromtoolResult>;

/** @throws with the reason where Debian's package cannot be had. */
export const openPromtool: () => Promise<Promtool> = once(async () => {
  const { command } = await debianProgram(prometheusPackage);
  const run: Promtool = async (args, stdin = "") => {
    const child = Bun.spawn([...command, ...args], {
      stdin: new TextEncoder().encode(stdin),
      stdout: "pipe",
      stderr: "pipe",
      env: {},
    });
    const [stdout, stderr, exitCode] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { exitCode, output: stdout + stderr };
  };
  return run;
});
