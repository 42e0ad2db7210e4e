import { basename, relative } from "node:path";
import { socketsOf } from "../config/socket.ts";
import type { Config } from "../config/config.ts";
import type { Log } from "../log.ts";
import type { Notifier } from "../systemd/notifier.ts";
import type { CommandContext } from "./command.ts";

/** How the server tells of itself. */
export interface Announcing
  extends Pick<CommandContext, "version" | "stdout" | "stderr" | "workerEnvironment"> {
  readonly log: Log;
  readonly json: boolean;
  /** Whether a person reads the log. */
  readonly isPretty: boolean;
  /** Where systemd hears of it; null where it does not ask. */
  readonly notifier?: Notifier | null;
  /** Lines of the log that nobody took, so far. */
  readonly droppedLines: () => number;
}

/** The log's first lines. */
export function describeStart(
  { log, version }: Announcing,
  config: Config,
  warnings: readonly string[],
): void {
  const { database, workers } = config;
  log.info(
    {
      event: "starting",
      version,
      database: database.driver,
      ...(database.driver === "sqlite" ? { dataDirectory: config.dataDir, path: database.path } : {}),
      ...(workers > 1 ? { workers } : {}),
    },
    "starting",
  );
  for (const warning of warnings) log.warn(warning);
}

/** Says where it listens: in the log, to a person, and as JSON on stdout. @param metrics where figures are, if apart. */
export function describeListening(
  { log, isPretty, json, stdout, stderr }: Announcing,
  config: Config,
  url: string,
  metrics: string | undefined,
): void {
  const { baseUrl, port, socket, workers } = config;
  const sockets = socket === null ? {} : { sockets: socketsOf(socket, workers).map(({ path }) => path) };
  const line = {
    event: "listening",
    url,
    baseUrl,
    port,
    ...sockets,
    ...(metrics === undefined ? {} : { metrics }),
  };
  log.info(line, "listening");
  if (isPretty) for (const text of welcome(config)) stderr(text);
  if (json) stdout(JSON.stringify(line));
}

/** The log's last line. @returns the exit status. */
export function describeEnd(log: Log, reason: string): number {
  if (reason === "second signal") {
    log.warn({ event: "stopped", reason }, "stopped at once");
    return 1;
  }
  log.info({ event: "stopped", reason }, "stopped");
  return 0;
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
