import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DebianPackage, debianProgram } from "./debian.ts";
import { forgetProcess, temporaryDirectory, watchProcess } from "./reaper.ts";

export const haproxyPackage: DebianPackage = {
  suite: "trixie",
  name: "haproxy",
  program: "usr/sbin/haproxy",
};

const readyTimeoutMs = 10_000;

/** A real HAProxy, ended with this process at the latest. */
export interface Haproxy {
  /** What it said, its servers' going and coming among it. */
  log(): string;
  stop(): Promise<void>;
}

/** Starts HAProxy, and waits until it takes connections at `port` of 127.0.0.1, whomever it leads them to. */
export async function startHaproxy(configuration: string, port: number): Promise<Haproxy> {
  const { command } = await debianProgram(haproxyPackage);
  const file = join(temporaryDirectory("haproxy"), "haproxy.cfg");
  writeFileSync(file, configuration);
  chmodSync(file, 0o644);
  const child = Bun.spawn([...command, "-db", "-f", file], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    env: {},
  });
  watchProcess(child.pid, "KILL");
  let log = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) log += decoder.decode(chunk, { stream: true });
  })();
  const stop = async () => {
    child.kill("SIGKILL");
    await Promise.all([child.exited, reading]);
    forgetProcess(child.pid);
  };
  const takes = () =>
    Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } }).then(
      (socket) => (socket.end(), true),
      () => false,
    );
  const deadline = Date.now() + readyTimeoutMs;
  while (!(await takes())) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`HAProxy did not start:\n${log}`);
    }
    await Bun.sleep(20);
  }
  return { log: () => log, stop };
}
