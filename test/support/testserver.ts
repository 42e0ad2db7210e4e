import { buildExecutable } from "./executable.ts";
import { collectOutput } from "./process-output.ts";
import { forgetProcess, temporaryDirectory, watchProcess } from "./reaper.ts";
import { within } from "./within.ts";

/** What `latchkey testserver` says on stdout. */
interface TestserverLine {
  readonly url: string;
  readonly baseUrl: string;
  readonly port: number;
  readonly pid: number;
  /** Absolute. */
  readonly directory: string;
  readonly users: readonly {
    readonly id: string;
    readonly email: string;
    readonly name: string;
    readonly password: string;
    readonly cookie: string;
  }[];
}

export interface RunningTestserver extends TestserverLine {
  /** What it was to make its folder in. */
  readonly temporary: string;
  /** Its exit status. */
  readonly exited: Promise<number>;
  stdout(): string;
  stderr(): string;
  /** SIGTERM. */
  stop(): Promise<number>;
  /** Closes the pipe that it has as stdin. */
  closeStdin(): Promise<void>;
}

const timeoutMs = 15_000;

/** Starts `latchkey testserver` and waits for its line. @param env whole, but for TMPDIR. */
export async function startTestserver(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<RunningTestserver> {
  const temporary = temporaryDirectory("testserver");
  const child = Bun.spawn([await buildExecutable(), "testserver", ...args], {
    cwd: temporaryDirectory("elsewhere"),
    env: { TMPDIR: temporary, ...env },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  watchProcess(child.pid, "KILL");
  const line = Promise.withResolvers<string>();
  const stdout = collectOutput(child.stdout, { onLine: line.resolve });
  const stderr = collectOutput(child.stderr, {});
  const exited = Promise.all([child.exited, stdout.ended, stderr.ended]).then(([code]) => code);
  void exited.then(() => forgetProcess(child.pid));
  const first = await within(Promise.race([line.promise, exited]), timeoutMs);
  if (typeof first !== "string") throw new Error(`no line (${first}):\n${stderr.text()}`);
  return {
    ...(JSON.parse(first) as TestserverLine),
    temporary,
    exited,
    stdout: stdout.text,
    stderr: stderr.text,
    async stop() {
      child.kill("SIGTERM");
      return await exited;
    },
    async closeStdin() {
      await child.stdin.end();
    },
  };
}
