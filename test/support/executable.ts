import { mkdirSync, renameSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { collectOutput, parseObject, parseReadyLine, type ReadyLine } from "./process-output.ts";
import { forgetProcess, once, temporaryDirectory, watchProcess } from "./reaper.ts";
import { within } from "./within.ts";

/** The environment the executable gets, whole: PATH and HOME are not passed on. */
type Environment = Readonly<Record<string, string>>;

export interface SpawnOptions {
  /** `PORT=0` unless it says otherwise. */
  readonly env: Environment;
  readonly args?: readonly string[];
  /** Default: a fresh empty directory. */
  readonly cwd?: string;
  /** Shows its output as it comes, for debugging. */
  readonly pipeLogs?: boolean;
  /** Default: what `buildExecutable` made. */
  readonly executable?: string;
  /** How long it may take to listen, in milliseconds; default 15 s. */
  readonly readyTimeoutMs?: number;
}

/** A started server. It is ended with this process at the latest. */
export interface RunningLatchkey {
  /** Where it listens, for connecting: its ready line's `url`, without a trailing slash. */
  readonly url: string;
  /** Its public origin, always a trusted one: of the ready line's `baseUrl`, else of `url`. */
  readonly origin: string;
  readonly pid: number;
  /** The working directory it was given. */
  readonly dir: string;
  /** Its end, once all that it wrote has been read; 128 + the signal's number when a signal ended it. */
  readonly exited: Promise<number>;
  stdout(): string;
  stderr(): string;
  /** Every line so far, of both streams, that is a JSON object. */
  logs(): Readonly<Record<string, unknown>>[];
  /** SIGTERM. @returns the exit code; throws when it is still there after 20 s, and kills it. */
  stop(): Promise<number>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const readyTimeoutDefaultMs = 15_000;
const stopTimeoutMs = 20_000;
const commandTimeoutMs = 60_000;
const projectDirectory = join(import.meta.dir, "..", "..");

/** @returns the executable's absolute path: LATCHKEY_TEST_EXECUTABLE, else `dist/latchkey`, built once a test process. */
export const buildExecutable: () => Promise<string> = once(async () => {
  const given = process.env["LATCHKEY_TEST_EXECUTABLE"];
  if (given !== undefined && given !== "") return given;
  const executable = join(projectDirectory, "dist", "latchkey");
  // Renamed into place: test files that run at once build at once, and one may be starting what another writes.
  // In a folder of its own: the executable's own name is in its bytes.
  const folder = `${executable}-${process.pid}`;
  const built = join(folder, "latchkey");
  mkdirSync(folder, { recursive: true });
  const build = Bun.spawn([process.execPath, "run", "build", `--outfile=${built}`], {
    cwd: projectDirectory,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(build.stdout).text(),
    new Response(build.stderr).text(),
    build.exited,
  ]);
  if (build.exitCode !== 0) throw new Error(`bun run build failed (${build.exitCode}):\n${stdout}${stderr}`);
  renameSync(built, executable);
  rmdirSync(folder);
  return executable;
});

/** Starts the server and waits until it listens; an exit or silence before that throws with all it wrote. */
export async function spawnLatchkey(options: SpawnOptions): Promise<RunningLatchkey> {
  const dir = options.cwd ?? temporaryDirectory("latchkey");
  // Tests guess and sign up more than anybody; those of the limits switch them on.
  const isLocal = /^http:\/\/(?:localhost|127\.|\[::1\])|^$/.test(options.env["BETTER_AUTH_URL"] ?? "");
  const env = { PORT: "0", ...(isLocal ? { LATCHKEY_LIMITS: "off" } : {}), ...options.env };
  const child = await start(options.executable, options.args ?? [], env, dir);
  const ready = Promise.withResolvers<ReadyLine>();
  const watchReady = (line: string) => {
    const found = parseReadyLine(line);
    if (found !== undefined) ready.resolve(found);
  };
  const mirror = options.pipeLogs === true;
  const stdout = collectOutput(child.stdout, { onLine: watchReady, mirror });
  const stderr = collectOutput(child.stderr, { onLine: watchReady, mirror });
  const readyTimeoutMs = options.readyTimeoutMs ?? readyTimeoutDefaultMs;
  const exited = Promise.all([child.exited, stdout.ended, stderr.ended]).then(([code]) => code);
  const outcome = await within(
    Promise.race([ready.promise, exited.then((code) => `exited with ${code}`)]),
    readyTimeoutMs,
  );
  if (outcome === undefined || typeof outcome === "string") {
    child.kill("SIGKILL");
    await exited;
    const reason = outcome ?? `was not listening after ${readyTimeoutMs} ms`;
    throw new Error(`latchkey ${reason}\n--- stdout\n${stdout.text()}\n--- stderr\n${stderr.text()}`);
  }
  return {
    url: outcome.url.replace(/\/$/, ""),
    origin: new URL(outcome.baseUrl ?? outcome.url).origin,
    pid: child.pid,
    dir,
    exited,
    stdout: stdout.text,
    stderr: stderr.text,
    logs: () => [stdout.text(), stderr.text()].flatMap((text) => text.split("\n")).flatMap(parseObject),
    async stop() {
      child.kill("SIGTERM");
      const code = await within(exited, stopTimeoutMs);
      if (code !== undefined) return code;
      child.kill("SIGKILL");
      throw new Error(`latchkey did not stop within ${stopTimeoutMs} ms of SIGTERM\n${stderr.text()}`);
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Starts the server as nohup(1) does, which has it ignore SIGHUP. */
export async function spawnUnderNohup(env: Readonly<Record<string, string>> = {}): Promise<RunningLatchkey> {
  const args = ["-c", `trap "" HUP; exec "$0"`, await buildExecutable()];
  return await spawnLatchkey({ env, executable: "/bin/sh", args });
}

export interface RunOptions {
  readonly env?: Environment;
  /** Default: a fresh empty directory. */
  readonly cwd?: string;
  /** Default: no input. */
  readonly stdin?: string;
  /** Default: what `buildExecutable` made. */
  readonly executable?: string;
}

/** Runs a one-shot command to its end; one that takes more than 60 s is killed. */
export async function runLatchkey(args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  const dir = options.cwd ?? temporaryDirectory("latchkey");
  const child = await start(options.executable, args, options.env ?? {}, dir, options.stdin);
  const stdout = collectOutput(child.stdout, {});
  const stderr = collectOutput(child.stderr, {});
  const timer = setTimeout(() => child.kill("SIGKILL"), commandTimeoutMs);
  const [exitCode] = await Promise.all([child.exited, stdout.ended, stderr.ended]);
  clearTimeout(timer);
  return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
}

async function start(
  executable: string | undefined,
  args: readonly string[],
  env: Environment,
  cwd: string,
  stdin?: string,
) {
  const child = Bun.spawn([executable ?? (await buildExecutable()), ...args], {
    cwd,
    env: { ...env },
    stdin: stdin === undefined ? "ignore" : new TextEncoder().encode(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  watchProcess(child.pid, "KILL");
  void child.exited.then(() => forgetProcess(child.pid));
  return child;
}
