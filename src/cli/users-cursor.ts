import type { Position } from "../database/users.ts";
import { CommandError } from "../errors.ts";

/** Where a page of users ends, as somebody writes it behind `--after`. */
export function cursorOf({ made, id }: Position): string {
  return Buffer.from(`${made} ${id}`).toString("base64url");
}

/** @throws CommandError. */
export function parseCursor(text: string): Position {
  const [, made, id] = /^(-?\d{1,18}) (.+)$/s.exec(Buffer.from(text, "base64url").toString()) ?? [];
  if (made !== undefined && id !== undefined) return { made: Number(made), id };
  throw new CommandError("--after: is no cursor", "write the one that the page before ended with", {
    wrongInput: "VALIDATION_ERROR",
  });
}
