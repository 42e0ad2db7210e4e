import type { Config } from "../config/config.ts";
import { withPort } from "../config/load.ts";
import { type Log, openLog } from "../log.ts";
import { prepareDataDirectory } from "../data-directory.ts";
import { type Listener, listen } from "../server.ts";
import { openService, type Service } from "../service.ts";
import type { Command } from "./command.ts";

/** How long requests under way may take once the process is told to end. */
const drainTimeoutMs = 10_000;

/** Runs the server until SIGTERM or SIGINT; a second signal ends it at once. */
export const serve: Command = async ({ loadConfig, version, stdout }, { json }) => {
  const loaded = loadConfig();
  const log = openLog({ level: loaded.config.logLevel, format: json ? "json" : loaded.config.logFormat });
  const listener = listen(loaded.config.host, loaded.config.port);
  const config = withPort(loaded.config, listener.port);
  describeStart(log, config, version, loaded.warnings);
  let service: Service;
  try {
    // Embedded data has an owner; files made from here on are for it alone.
    process.umask(0o077);
    const widened = config.database.driver === "sqlite" ? prepareDataDirectory(config.dataDir) : undefined;
    if (widened !== undefined) log.warn(widened);
    service = await openService({ config, log, version, now: Date.now });
  } catch (error) {
    await listener.stop();
    throw error;
  }
  // Before anybody can know that it listens: an unheard signal would end it without a word.
  const signals = watchSignals();
  listener.serve(service.app);
  log.info(
    { event: "listening", url: listener.url, baseUrl: config.baseUrl, port: listener.port },
    "listening",
  );
  if (json)
    stdout(
      JSON.stringify({ event: "listening", url: listener.url, baseUrl: config.baseUrl, port: listener.port }),
    );
  return await drain(await signals.first, signals.second, log, { listener, service });
};

function describeStart(log: Log, config: Config, version: string, warnings: readonly string[]): void {
  const { database } = config;
  log.info(
    {
      event: "starting",
      version,
      database: database.driver,
      ...(database.driver === "sqlite" ? { dataDirectory: config.dataDir, path: database.path } : {}),
    },
    "starting",
  );
  for (const warning of warnings) log.warn(warning);
}

/** Hears SIGTERM and SIGINT from now on, so that none is left to the system, which would end the process at once. */
function watchSignals(): { readonly first: Promise<string>; readonly second: Promise<string> } {
  const [first, second] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  const heard: string[] = [];
  for (const name of ["SIGTERM", "SIGINT"] as const)
    process.on(name, () => (heard.push(name) === 1 ? first : second).resolve(name));
  return { first: first.promise, second: second.promise };
}

interface Running {
  readonly listener: Listener;
  readonly service: Service;
}

async function drain(
  signal: string,
  second: Promise<string>,
  log: Log,
  { listener, service }: Running,
): Promise<number> {
  log.info({ event: "draining", signal }, "finishing the requests under way");
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve("drain timeout"), drainTimeoutMs);
  const reason = await Promise.race([
    listener.drain().then(() => "drained"),
    second.then(() => "second signal"),
    late.promise,
  ]);
  clearTimeout(timer);
  if (reason === "second signal") {
    log.warn({ event: "stopped", reason }, "stopped at once");
    return 1;
  }
  await listener.stop();
  await service.close();
  log.info({ event: "stopped", reason }, "stopped");
  return 0;
}
