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

/** A command that could not do its work: an operator's message and the exact command to try. Exit status 1. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  constructor(
    message: string,
    /** An exact command or step, printed after `Try:`. */
    readonly remedy: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
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
