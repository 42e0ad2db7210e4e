import pino, { type Logger } from "pino";
import { describeCause } from "./errors.ts";
import type * as logPretty from "./log-pretty.ts";
import { createLogWriter, type LogWriter } from "./log-writer.ts";

export type Log = Logger;

export interface LogOptions {
  readonly level: string;
  readonly format: "json" | "pretty";
  /** Stands on every line. */
  readonly base?: Readonly<Record<string, unknown>>;
}

/** Opens stderr for the log: nothing ever waits for whoever reads it. */
export function openLogWriter({ format }: Pick<LogOptions, "format">): LogWriter {
  // A full or closed log must not stop the service.
  if (process.stderr.listenerCount("error") === 0) process.stderr.on("error", () => {});
  return createLogWriter(process.stderr, (count) => lineOfDropped(count, format));
}

/**
 * Opens the log: one JSON object a line, or coloured text on a terminal. Times are UTC. Nothing secret is given to it; the
 * redaction is the second line of defence.
 */
export function openLog(options: LogOptions, writer = openLogWriter(options)): Log {
  return pino(
    {
      level: options.level,
      base: options.base ?? null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: ["password", "token", "cookie", "authorization", "secret", "*.password", "*.token", "*.cookie"],
      serializers: { cause: describeCause },
    },
    options.format === "pretty" ? prettyStream(writer) : writer,
  );
}

/** Opens the log for lines of JSON that others have written: @returns what takes one, without its line feed. */
export function openLogLines(
  { format }: Pick<LogOptions, "format">,
  writer: LogWriter,
): (line: string) => void {
  if (format === "json") return (line) => writer.write(`${line}\n`);
  const pretty = prettyStream(writer);
  return (line) => void pretty.write(`${line}\n`);
}

function lineOfDropped(count: number, format: LogOptions["format"]): string {
  const msg = `${count} log lines were dropped, since nobody read them`;
  const line = { level: "warn", time: new Date().toISOString(), dropped: count, msg };
  return format === "pretty" ? `WARN: ${msg}\n` : `${JSON.stringify(line)}\n`;
}

/** Required where it is used: a server that writes JSON starts without it. */
function prettyStream(writer: LogWriter) {
  return (require("./log-pretty.ts") as typeof logPretty).prettyStream(writer, process.stderr.isTTY === true);
}
