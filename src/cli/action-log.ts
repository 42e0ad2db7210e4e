import type { Config } from "../config/config.ts";
import { CommandError } from "../errors.ts";
import { type Log, openLog, openLogWriter } from "../log.ts";

/** How long the end waits for whoever reads the log. */
const flushTimeoutMs = 500;

/** What an operator did, for the log: `userId` as soon as it is known. */
export interface Action {
  readonly event: string;
  userId?: string;
  /** Live sessions that it ended. */
  ended?: number;
  /** How many users it was about, by what became of them. */
  counts?: Readonly<Record<string, number>>;
  /** What else is known of it, such as a file's path; never a secret. */
  details?: Readonly<Record<string, string | number | boolean | readonly string[] | null>>;
  /** Why it did nothing, where that is no failure of the command. */
  reason?: string;
}

/**
 * Runs `work`, and writes what became of `action` to the log on stderr; nothing of undefined, nor of options that are wrong.
 * @param explain makes what is thrown of what `work` throws.
 */
export async function logged<T>(
  config: Pick<Config, "logFormat" | "logLevel">,
  json: boolean,
  action: Action | undefined,
  work: () => Promise<T>,
  explain: (error: unknown) => unknown = (error) => error,
): Promise<T> {
  const format = json ? "json" : config.logFormat;
  const writer = openLogWriter({ format });
  const log = openLog({ level: config.logLevel, format }, writer);
  try {
    const result = await work();
    if (action !== undefined) logAction(log, action, action.reason);
    return result;
  } catch (error) {
    const failure = explain(error);
    const reason = failure instanceof CommandError ? failure.wrongInput : undefined;
    if (action !== undefined && reason !== "usage") logAction(log, action, reason ?? "failed");
    throw failure;
  } finally {
    await writer.flush(flushTimeoutMs);
  }
}

/** One line, as the server's actions have one. @param reason of a failure. */
function logAction(log: Log, { event, userId, ended, counts, details }: Action, reason?: string): void {
  log.info(
    {
      event,
      outcome: reason === undefined ? "success" : "failure",
      ...(reason === undefined ? {} : { reason }),
      operator: process.getuid?.() ?? null,
      ...(userId === undefined ? {} : { userId }),
      ...(ended === undefined ? {} : { ended }),
      ...counts,
      ...details,
    },
    event.replaceAll("_", " "),
  );
}
