import pino, { type DestinationStream, type Logger } from "pino";
import pretty from "pino-pretty";

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
      // DrizzleQueryError's message holds the query's parameters, password hashes among them.
      message:
        current.name === "DrizzleQueryError" || current.message.startsWith("Failed query")
          ? "query failed"
          : current.message,
    });
  }
  return chain;
}

/** A session's id as the log shows it: enough to follow one session, not enough to name it elsewhere. */
export function hashedSessionId(id: string): string {
  return new Bun.CryptoHasher("sha256").update(id).digest("hex").slice(0, 16);
}
