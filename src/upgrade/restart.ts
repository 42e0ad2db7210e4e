import { realpathSync } from "node:fs";
import { CommandError } from "../errors.ts";
import { startedBy } from "../doctor/foreign-environment.ts";

/** How a server comes to run another executable. */
export interface Restart {
  /** Fit to print. */
  readonly how: string;
  /** @returns why it failed, fit to print; null where it did not. */
  run(): Promise<string | null>;
  /** Ends the server, so that nothing starts it again meanwhile. Does nothing where nobody says how. */
  stop(): Promise<void>;
  /** Whether it is known that the server will not come up. */
  hasFailed(): Promise<boolean>;
}

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
  const call = async (...args: readonly string[]) =>
    await outcome([systemctl, ...args, unit], `systemctl ${args.join(" ")} ${unit}`);
  return {
    how: `systemctl restart ${unit}`,
    async run() {
      // After a few failures in a row it would not start it any more.
      await call("reset-failed");
      return await call("restart");
    },
    async stop() {
      await call("stop");
    },
    hasFailed: async () => (await call("--quiet", "is-failed")) === null,
  };
}

/** A shell's command, which returns once the server was told to start anew. */
export function commandRestart(command: string, path: string, cwd: string): Restart {
  return {
    how: command,
    run: () => outcome(["/bin/sh", "-c", command], command, { PATH: path }, cwd),
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

/** What it says goes to stderr, where it does not mix with data. */
async function outcome(
  command: readonly string[],
  name: string,
  env?: Readonly<Record<string, string>>,
  cwd?: string,
): Promise<string | null> {
  const child = Bun.spawn([...command], {
    stdio: ["ignore", 2, "inherit"],
    ...(env === undefined ? {} : { env: { ...env } }),
    ...(cwd === undefined ? {} : { cwd }),
  });
  await child.exited;
  return child.exitCode === 0 ? null : `${name} ended with ${child.signalCode ?? child.exitCode}`;
}
