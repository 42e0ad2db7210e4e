import { canonicalEmail } from "../auth/input.ts";
import { CommandError, reasonOf } from "../errors.ts";
import { printable } from "./columns.ts";

/** Whom an operator has a mail sent to, in canonical form. @throws CommandError of wrong input. */
export function requireAddress(text: string): string {
  try {
    return canonicalEmail(text);
  } catch (error) {
    throw new CommandError(`${printable(text)}: ${reasonOf(error)}`, "write an address, ann@example.com", {
      wrongInput: "INVALID_EMAIL",
    });
  }
}
