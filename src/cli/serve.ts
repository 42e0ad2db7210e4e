import { basename, relative } from "node:path";
import { existsSync, readFileSync } from "node:fs";
import type { Config, LoadedConfig } from "../config/config.ts";
import { withPort } from "../config/load.ts";
import { type Log, openLog, openLogWriter } from "../log.ts";
import { prepareDataDirectory } from "../data-directory.ts";
import { capConnections } from "../connection-cap.ts";
import { createClientAddresses } from "../http/request.ts";
import { type Listener, listen } from "../server.ts";
import { openService, type Service } from "../service.ts";
import type { Command, CommandContext } from "./command.ts";

/** How long requests under way may take once the process is told to end. */
const drainTimeoutMs = 10_000;

/** How long the end waits for whoever reads the log. */
const flushTimeoutMs = 500;

/** Runs the server until SIGTERM, SIGINT or SIGHUP; a second signal ends it at once. */
export const serve: Command = async ({ loadConfig, version, stdout, stderr }, { json }) => {
  const loaded = loadConfig();
  const format = json ? "json" : loaded.config.logFormat;
  const writer = openLogWriter({ format });
  const log = openLog({ level: loaded.config.logLevel, format }, writer);
  try {
    return await run(loaded, log, { json, isPretty: format === "pretty", version, stdout, stderr });
  } finally {
    await writer.flush(flushTimeoutMs);
  }
};

interface RunContext extends Pick<CommandContext, "version" | "stdout" | "stderr"> {
  readonly json: boolean;
  /** Whether a person reads the log. */
  readonly isPretty: boolean;
}

async function run(
  loaded: LoadedConfig,
  log: Log,
  { json, isPretty, version, stdout, stderr }: RunContext,
): Promise<number> {
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
  logStrays(log);
  listener.serve(service.app);
  const stopCapping = watchConnections(listener.port, config, log);
  log.info(
    { event: "listening", url: listener.url, baseUrl: config.baseUrl, port: listener.port },
    "listening",
  );
  if (isPretty) for (const line of welcome(config)) stderr(line);
  if (json)
    stdout(
      JSON.stringify({ event: "listening", url: listener.url, baseUrl: config.baseUrl, port: listener.port }),
    );
  const signal = await signals.first;
  stopCapping();
  return await drain(signal, signals.second, log, { listener, service });
}

/** Nobody is to take all connections, as nobody is to guess without end. */
function watchConnections(port: number, { limits, trustedProxies }: Config, log: Log): () => void {
  if (limits === null) return () => {};
  return capConnections({
    port,
    max: limits.connections,
    isTrusted: createClientAddresses(trustedProxies).isTrusted,
    onClosed: (clientAddress, closed) =>
      log.warn(
        { event: "connections_closed", clientAddress, closed, setting: "LATCHKEY_LIMIT_CONNECTIONS" },
        "an address held too many connections",
      ),
  });
}

/** What somebody at a terminal needs next. */
function welcome({ baseUrl, database, dataDir, signUp }: Config): readonly string[] {
  const kept =
    database.driver === "sqlite" ? `${database.path}, the secret in ${dataDir}` : "the database server";
  return [
    `Open      ${baseUrl}${signUp === "open" ? "/signup" : "/signin"}`,
    `Accounts  ${kept}`,
    `Next      ${ownName()} doctor, which says what would not work in a browser`,
  ];
}

/** How to call this executable from here; its name where that is in the path. */
function ownName(): string {
  const path = process.execPath;
  const name = basename(path);
  if (name !== "latchkey" || Bun.which(name) === path) return "latchkey";
  const here = relative(process.cwd(), path);
  return here.startsWith("..") ? path : `./${here}`;
}

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

/**
 * Hears what nothing in the process has caught, such as an error that a library throws beside any request. Requests share
 * nothing that it could leave half done, so they go on.
 */
function logStrays(log: Log): void {
  for (const event of ["uncaughtException", "unhandledRejection"] as const)
    process.on(event, (cause: unknown) =>
      log.error({ event: "stray_error", cause }, "an error that nothing caught"),
    );
}

/**
 * Hears SIGTERM, SIGINT and SIGHUP from now on, so that none is left to the system, which would end the process at once.
 * A SIGHUP that is ignored stays so: `nohup` is for surviving the terminal.
 */
function watchSignals(): { readonly first: Promise<string>; readonly second: Promise<string> } {
  const [first, second] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  const heard: string[] = [];
  const hangUp = ignoresHangUp() ? [] : (["SIGHUP"] as const);
  for (const name of ["SIGTERM", "SIGINT", ...hangUp] as const)
    process.on(name, () => (heard.push(name) === 1 ? first : second).resolve(name));
  return { first: first.promise, second: second.promise };
}

/** Whether whoever started this process told it to ignore SIGHUP; only Linux says. */
function ignoresHangUp(): boolean {
  const path = "/proc/self/status";
  const mask = existsSync(path)
    ? /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync(path, "utf8"))?.[1]
    : undefined;
  return mask !== undefined && (BigInt(`0x${mask}`) & 1n) === 1n;
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
  const close = async () => {
    await listener.stop();
    await service.close();
    return "closed";
  };
  // What goes on behind the answers may take as long as a database does.
  const end =
    reason === "second signal" ? reason : await Promise.race([close(), second.then(() => "second signal")]);
  if (end === "second signal") {
    log.warn({ event: "stopped", reason: end }, "stopped at once");
    return 1;
  }
  log.info({ event: "stopped", reason }, "stopped");
  return 0;
}
