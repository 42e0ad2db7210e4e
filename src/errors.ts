import { type ErrorCode, ownCodes } from "./error-codes.ts";

/** Start-up configuration that cannot be used: every problem at once. Exit status 2. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** @param problems one entry a problem; never contains a secret's value. */
  constructor(readonly problems: readonly ConfigProblem[]) {
    super(problems.map((problem) => `${problem.variable}: ${problem.reason}`).join("\n"));
  }
}

export interface ConfigProblem {
  /** The environment variable at fault, e.g. `BETTER_AUTH_URL`. */
  readonly variable: string;
  /** What is wrong, without a final full stop and without the value of a secret. */
  readonly reason: string;
  /** What to write instead. */
  readonly remedy: string;
}

/** A command that could not do its work: an operator's message and the exact command to try. Exit status 1, or 2. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  /** What the log calls it where what was asked for is at fault, and would fail again: exit status 2. */
  readonly wrongInput: string | undefined;
  /** What it had done until then. */
  readonly counts: Readonly<Record<string, number>> | undefined;
  constructor(
    message: string,
    /** An exact command or step, printed after `Try:`. */
    readonly remedy: string,
    options?: {
      readonly cause?: unknown;
      readonly wrongInput?: string | undefined;
      readonly counts?: Readonly<Record<string, number>>;
    },
  ) {
    super(message, options);
    this.wrongInput = options?.wrongInput;
    this.counts = options?.counts;
  }
}

/** A request that gets an error answer: stable code and public message for the client, cause for the log. */
export class AppError extends Error {
  override readonly name = "AppError";
  /** The code's HTTP status, 400 to 599. */
  readonly status: number;
  /** Extra response headers, e.g. `Retry-After` in seconds. */
  readonly headers: Readonly<Record<string, string>>;

  /** @param message public; names nothing internal. */
  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: { readonly cause?: unknown; readonly headers?: Readonly<Record<string, string>> },
  ) {
    super(message, { cause: options?.cause });
    this.status = ownCodes[code].status;
    this.headers = options?.headers ?? {};
  }
}

/** An error for the log: names, codes and messages down its chain, but never a query, whose parameters are secrets. */
export function describeCause(error: unknown): readonly { name: string; code?: string; message: string }[] {
  const chain: { name: string; code?: string; message: string }[] = [];
  for (let current = error; isFailure(current) && chain.length < 5; current = current.cause) {
    const { code, errno } = current as { code?: unknown; errno?: unknown };
    const named = typeof errno === "string" ? errno : code;
    chain.push({
      name: current.name ?? "ErrorEvent",
      ...(typeof named === "string" ? { code: named } : {}),
      message: loggableMessage(current, named),
    });
  }
  return chain;
}

/** Classes of SQLSTATE (data exceptions, violated constraints, RAISE), whose messages may quote the refused row. */
const quotingCodes = /^(?:22|23|44|P0)[0-9A-Z]{3}$|^SQLITE_CONSTRAINT_TRIGGER$/;

interface Failure {
  readonly name?: string;
  readonly message: string;
  readonly cause?: unknown;
}

/** An error, or what Neon's driver rejects with where its WebSocket fails. */
function isFailure(error: unknown): error is Failure {
  return error instanceof Error || error instanceof ErrorEvent;
}

function loggableMessage(error: Failure, code: unknown): string {
  // DrizzleQueryError's message holds the query's parameters, password hashes among them.
  if (error.name === "DrizzleQueryError" || error.message.startsWith("Failed query")) return "query failed";
  return typeof code === "string" && quotingCodes.test(code) ? "refused by the database" : error.message;
}

/** An error and its causes on one line, without the queries whose parameters are secrets. */
export function reasonOf(error: unknown): string {
  if (error instanceof CommandError) return error.message;
  // An AppError's own message is for clients.
  const described = error instanceof AppError && error.cause !== undefined ? error.cause : error;
  const messages = describeCause(described).map(({ message, code }) =>
    code === undefined || message.includes(code) ? message : `${message} (${code})`,
  );
  return messages.length === 0 ? "unknown failure" : [...new Set(messages)].join(": ");
}
