import pino, { type DestinationStream, type Logger } from "pino";
import type * as pinoPretty from "pino-pretty";
import { describeCause } from "./errors.ts";

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
