import { closeSync, openSync, readFileSync } from "node:fs";
import { forgetProcess, watchProcess } from "../test/support/reaper.ts";
import { DemoError } from "./demo-error.ts";

export interface ProgramOptions {
  /** What people call it. */
  readonly name: string;
  readonly command: readonly string[];
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** What it writes goes to this file, anew. */
  readonly logFile: string;
  /** It serves once this answers 200. */
  readonly readyUrl: string;
}

/** A program that runs in a process group of its own, which a terminal's Ctrl-C does not reach. */
export interface Program {
  readonly name: string;
  readonly logFile: string;
  /** Its end; 128 + the signal's number when a signal ended it. */
  readonly exited: Promise<number>;
  /** Once it answers, or has ended. @throws {DemoError} with the end of its log when it is silent for 30 s. */
  ready(): Promise<void>;
  /** A sentence with the last lines that it wrote. */
  lastWords(): string;
  /** SIGTERM to the whole group, once, and SIGKILL to what is left of it after 12 s. */
  end(): Promise<void>;
  /** SIGKILL to the whole group. */
  kill(): void;
}

const readyTimeoutMs = 30_000;
/** Longer than latchkey itself gives the requests under way. */
const endTimeoutMs = 12_000;

export function startProgram({ name, command, cwd, env, logFile, readyUrl }: ProgramOptions): Program {
  const log = openSync(logFile, "w", 0o600);
  const child = Bun.spawn([...command], {
    cwd,
    env: { ...env },
    stdin: "ignore",
    stdout: log,
    stderr: log,
    detached: true,
  });
  closeSync(log);
  // Whichever way this process ends, the group ends with it.
  watchProcess(-child.pid, "TERM");
  const lastWords = () => {
    const lines = readFileSync(logFile, "utf8").trimEnd().split("\n").slice(-12);
    return lines.join("") === "" ? "It wrote nothing." : `It wrote last:\n${lines.join("\n")}`;
  };
  const isGone = async (timeoutMs: number) => {
    const deadline = performance.now() + timeoutMs;
    while (signalGroup(child.pid, 0) && performance.now() < deadline) await Bun.sleep(20);
    return !signalGroup(child.pid, 0);
  };
  const end = async () => {
    signalGroup(child.pid, "SIGTERM");
    if (!(await isGone(endTimeoutMs))) signalGroup(child.pid, "SIGKILL");
    await child.exited;
    forgetProcess(-child.pid);
  };
  let ending: Promise<void> | undefined;
  return {
    name,
    logFile,
    exited: child.exited,
    lastWords,
    async ready() {
      const deadline = performance.now() + readyTimeoutMs;
      while (child.exitCode === null && !(await answers(readyUrl))) {
        if (performance.now() > deadline)
          throw new DemoError(
            `${name} does not answer at ${readyUrl}. It wrote last:\n${lastWords()}`,
            "again",
          );
        await Bun.sleep(50);
      }
    },
    end() {
      ending ??= end();
      return ending;
    },
    kill() {
      signalGroup(child.pid, "SIGKILL");
    },
  };
}

/** @returns whether anybody is there. */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-leader, signal);
  } catch {
    return false;
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}
