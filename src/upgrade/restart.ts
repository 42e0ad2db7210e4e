import { realpathSync } from "node:fs";
import { CommandError } from "../errors.ts";
import { startedBy } from "../doctor/foreign-environment.ts";

/** How a server comes to run another executable. */
export interface Restart {
  /** Fit to print. */
  readonly how: string;
  /** Ends at that time at the latest. @returns why it failed, fit to print; null where it did not. */
  run(ms: number): Promise<string | null>;
  /** Ends the server, so that nothing starts it again meanwhile, or gives up. Does nothing where nobody says how. */
  stop(): Promise<void>;
  /** Whether it is known that the server will not come up. */
  hasFailed(): Promise<boolean>;
}

/** Longer than a unit has by itself, which kills its processes then. */
const stopMs = 300_000;
/** How long systemd may take to say what state a unit is in. */
const questionMs = 10_000;

/** A unit of systemd's. @throws CommandError where it does not run `executable`. */
export function systemdRestart(unit: string, executable: string, path: string): Restart {
  const systemctl = Bun.which("systemctl", { PATH: path });
  const elsewise = "say how by --restart-command, or that you do it yourself by --no-restart";
  if (systemctl === null)
    throw new CommandError("systemctl is not in PATH, which would restart the server", elsewise, {
      wrongInput: "no_systemd",
    });
  const started = startedBy(unit);
  if (started !== undefined && realOf(started) !== executable)
    throw new CommandError(
      `${unit} runs ${started}, and this is ${executable}`,
      `${started} upgrade --from …`,
      { wrongInput: "another_executable" },
    );
  const call = async (ms: number, ...args: readonly string[]) =>
    await outcome([systemctl, ...args, unit], `systemctl ${args.join(" ")} ${unit}`, ms);
  return {
    how: `systemctl restart ${unit}`,
    async run(ms) {
      const deadline = performance.now() + ms;
      // After a few failures in a row it would not start it any more.
      await call(ms, "reset-failed");
      // A unit may start for as long as it likes, and this waits for it.
      return await call(deadline - performance.now(), "restart");
    },
    async stop() {
      await call(stopMs, "stop");
    },
    hasFailed: async () => (await call(questionMs, "--quiet", "is-failed")) === null,
  };
}

/** A shell's command, which returns once the server was told to start anew. */
export function commandRestart(command: string, path: string, cwd: string): Restart {
  return {
    how: command,
    run: (ms) => outcome(["/bin/sh", "-c", command], command, ms, { PATH: path }, cwd),
    async stop() {},
    hasFailed: async () => false,
  };
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** What it says goes to stderr, where it does not mix with data. What takes longer is killed. */
async function outcome(
  command: readonly string[],
  name: string,
  ms: number,
  env?: Readonly<Record<string, string>>,
  cwd?: string,
): Promise<string | null> {
  const child = Bun.spawn([...command], {
    stdio: ["ignore", 2, "inherit"],
    ...(env === undefined ? {} : { env: { ...env } }),
    ...(cwd === undefined ? {} : { cwd }),
  });
  let isLate = false;
  const limit = setTimeout(
    () => {
      isLate = true;
      child.kill("SIGKILL");
    },
    Math.max(ms, 0),
  );
  await child.exited;
  clearTimeout(limit);
  if (child.exitCode === 0) return null;
  return isLate
    ? `${name} did not end within ${Math.round(ms / 100) / 10} s`
    : `${name} ended with ${child.signalCode ?? child.exitCode}`;
}
