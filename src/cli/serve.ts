import type { Environment } from "../config/config.ts";
import { openLog, openLogWriter } from "../log.ts";
import type { Notifier } from "../systemd/notifier.ts";
import type { Command } from "./command.ts";

/** How long the end waits for whoever reads the log. */
const flushTimeoutMs = 500;

/** Runs the server, in this process or in several that it starts. */
export const serve: Command = async ({ loadConfig, ...context }, { json }) => {
  const loaded = loadConfig();
  const format = json ? "json" : loaded.config.logFormat;
  const writer = openLogWriter({ format });
  const log = openLog({ level: loaded.config.logLevel, format }, writer);
  const notifier = await notifierOf(context.environment);
  const announcing = {
    ...context,
    log,
    json,
    notifier,
    isPretty: format === "pretty",
    droppedLines: writer.droppedLines,
  };
  try {
    // Loaded where it is used: who serves does not supervise, and the other way round.
    if (loaded.config.workers === 1) {
      const { serveAlone } = await import("./serve-alone.ts");
      return await serveAlone(loaded, announcing);
    }
    const { supervise } = await import("./supervise.ts");
    return await supervise(loaded, announcing, { format, writer });
  } finally {
    await writer.flush(flushTimeoutMs);
    notifier?.close();
  }
};

/** Loaded where systemd asks for it. */
async function notifierOf(environment: Environment): Promise<Notifier | null> {
  const socket = environment["NOTIFY_SOCKET"];
  if (socket === undefined) return null;
  const { openNotifier } = await import("../systemd/notifier.ts");
  const { WATCHDOG_USEC: watchdogUsec, WATCHDOG_PID: watchdogPid } = environment;
  return openNotifier({ socket, watchdogUsec, watchdogPid });
}
