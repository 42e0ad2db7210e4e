import { existsSync, readFileSync } from "node:fs";
import type { Log } from "../log.ts";

/** The first and the second signal that tell the process to end. */
export interface EndSignals {
  readonly first: Promise<string>;
  readonly second: Promise<string>;
}

/**
 * Hears SIGTERM, SIGINT and SIGHUP from now on, so that none is left to the system, which would end the process at once.
 * A SIGHUP that is ignored stays so: `nohup` is for surviving the terminal.
 * @param onHangUp hears every SIGHUP, which then tells nobody to end.
 */
export function watchSignals(onHangUp?: () => void): EndSignals {
  const [first, second] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  const heard: string[] = [];
  const end = (name: string) => (heard.push(name) === 1 ? first : second).resolve(name);
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => end(name));
  if (!ignoresHangUp()) process.on("SIGHUP", onHangUp ?? (() => end("SIGHUP")));
  return { first: first.promise, second: second.promise };
}

/**
 * Waits for a start, unless a signal is first: to the first process of a container, the system leaves none that is not heard.
 * @returns the signal; null once it has started. @throws why it could not.
 */
export async function beforeSignal(
  { first }: Pick<EndSignals, "first">,
  start: Promise<unknown>,
): Promise<string | null> {
  return await Promise.race([start.then(() => null), first.then((name) => `${name} while starting`)]);
}

/** Leaves signals to the supervisor: a terminal and systemd send them to every process, but they are for all together. */
export function ignoreSignals(): void {
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(name, () => {});
}

/** Whether whoever started this process told it to ignore SIGHUP; only Linux says. */
function ignoresHangUp(): boolean {
  const path = "/proc/self/status";
  const mask = existsSync(path)
    ? /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync(path, "utf8"))?.[1]
    : undefined;
  return mask !== undefined && (BigInt(`0x${mask}`) & 1n) === 1n;
}

/**
 * Hears what nothing in the process has caught, such as an error that a library throws beside any request. Requests share
 * nothing that it could leave half done, so they go on.
 */
export function logStrays(log: Log): void {
  for (const event of ["uncaughtException", "unhandledRejection"] as const)
    process.on(event, (cause: unknown) =>
      log.error({ event: "stray_error", cause }, "an error that nothing caught"),
    );
}
