import { AppError, CommandError } from "../errors.ts";
import { describeCause } from "../log.ts";

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
