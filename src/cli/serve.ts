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
export const serve: Command = async ({ loadConfig, version, print }, { json }) => {
  const loaded = loadConfig();
  const log = openLog({ level: loaded.config.logLevel, format: json ? "json" : loaded.config.logFormat });
  // Embedded data has an owner; files made from here on are for it alone.
  process.umask(0o077);
  const widened =
    loaded.config.database.driver === "sqlite" ? prepareDataDirectory(loaded.config.dataDir) : undefined;
  const listener = listen(loaded.config.host, loaded.config.port);
  const config = withPort(loaded.config, listener.port);
  describeStart(log, config, version, [...loaded.warnings, ...(widened === undefined ? [] : [widened])]);
  let service: Service;
  try {
    service = await openService({ config, log, version, now: Date.now });
  } catch (error) {
    await listener.stop();
    throw error;
  }
  listener.serve(service.app);
  log.info(
    { event: "listening", url: listener.url, baseUrl: config.baseUrl, port: listener.port },
    "listening",
  );
  if (json)
    print(
      JSON.stringify({ event: "listening", url: listener.url, baseUrl: config.baseUrl, port: listener.port }),
    );
  const signal = await nextSignal();
  return await drain(signal, log, listener, service);
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

function nextSignal(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve(name));
  return promise;
}

async function drain(signal: string, log: Log, listener: Listener, service: Service): Promise<number> {
  log.info({ event: "draining", signal }, "finishing the requests under way");
  const cut = Promise.withResolvers<string>();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => cut.resolve("second signal"));
  const timer = setTimeout(() => cut.resolve("drain timeout"), drainTimeoutMs);
  const reason = await Promise.race([listener.drain().then(() => "drained"), cut.promise]);
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
