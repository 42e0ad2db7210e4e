import pino, { type DestinationStream, type Logger } from "pino";
import type * as pinoPretty from "pino-pretty";

export type Log = Logger;

export interface LogOptions {
  readonly level: string;
  readonly format: "json" | "pretty";
}

/**
 * Opens the log on stderr: one JSON object a line, or coloured text on a terminal. Times are UTC. Nothing secret is
 * given to it; the redaction is the second line of defence.
 */
export function openLog(options: LogOptions): Log {
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: ["password", "token", "cookie", "authorization", "secret", "*.password", "*.token", "*.cookie"],
      serializers: { cause: describeCause },
    },
    options.format === "pretty" ? prettyStream() : plainStream(),
  );
}

function plainStream(): DestinationStream {
  const stream = pino.destination({ dest: 2, sync: true });
  // A full or closed log must not stop the service.
  stream.on("error", () => {});
  return stream;
}

/** A stream, not a transport: transports load files that the executable does not have. */
function prettyStream(): DestinationStream {
  // Required where it is used: a server that writes JSON starts without it.
  const { default: pretty } = require("pino-pretty") as typeof pinoPretty;
  return pretty({ destination: 2, sync: true, colorize: process.stderr.isTTY === true });
}

/** An error for the log: names, codes and messages down its chain, but never a query, whose parameters are secrets. */
export function describeCause(error: unknown): readonly { name: string; code?: string; message: string }[] {
  const chain: { name: string; code?: string; message: string }[] = [];
  for (let current = error; current instanceof Error && chain.length < 5; current = current.cause) {
    const { code, errno } = current as { code?: unknown; errno?: unknown };
    const named = typeof errno === "string" ? errno : code;
    chain.push({
      name: current.name,
      ...(typeof named === "string" ? { code: named } : {}),
      message: loggableMessage(current, named),
    });
  }
  return chain;
}

/** Classes of SQLSTATE (data exceptions, violated constraints, RAISE), whose messages may quote the refused row. */
const quotingCodes = /^(?:22|23|44|P0)[0-9A-Z]{3}$|^SQLITE_CONSTRAINT_TRIGGER$/;

function loggableMessage(error: Error, code: unknown): string {
  // DrizzleQueryError's message holds the query's parameters, password hashes among them.
  if (error.name === "DrizzleQueryError" || error.message.startsWith("Failed query")) return "query failed";
  return typeof code === "string" && quotingCodes.test(code) ? "refused by the database" : error.message;
}
