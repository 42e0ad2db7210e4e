import type { Config } from "../config/config.ts";
import { AppError, CommandError } from "../errors.ts";
import { canonicalEmail, requireName, requireWellFormed } from "./input.ts";

/** What to write instead, by the field. */
const remedies: Readonly<Record<string, string>> = {
  email: "write an address such as ann@example.com",
  name: "write a name of 1 to 100 characters",
  password:
    "choose another one, by the rules of LATCHKEY_PASSWORD_MIN_LENGTH, LATCHKEY_PASSWORD_COMMON and LATCHKEY_PASSWORD_BREACHED",
};

/** @throws CommandError where the port of the default is a server's own to choose. */
export function requirePublicUrl({ baseUrl }: Config): string {
  if (!baseUrl.endsWith(":0")) return baseUrl;
  throw new CommandError(
    "BETTER_AUTH_URL: is not set, and PORT=0 does not say where the link leads",
    "set BETTER_AUTH_URL to the public URL, or name the server's environment by --unit, --env-file or --pid",
    { wrongInput: "VALIDATION_ERROR" },
  );
}

export function requireEmail(email: string): string {
  return checked("email", () => canonicalEmail(email));
}

export function requireWritten(name: string): void {
  checked("name", () => {
    requireWellFormed("name", name);
    requireName(name);
  });
}

/** The stored form of what may be an address. */
export function canonicalOrUndefined(reference: string): string | undefined {
  try {
    return canonicalEmail(reference);
  } catch {
    // An id, then.
    return undefined;
  }
}

export function unknownUser(reference: string): CommandError {
  return new CommandError(`nobody has the e-mail address or id ${reference}`, "latchkey users list", {
    wrongInput: "unknown_user",
  });
}

export function taken(email: string): CommandError {
  return new CommandError(`email: ${email} has an account already`, `latchkey users show ${email}`, {
    wrongInput: "email_taken",
  });
}

export function signUpClosed(): CommandError {
  return new CommandError(
    "LATCHKEY_SIGN_UP: is closed, so that nobody signs up, invited or not",
    "set LATCHKEY_SIGN_UP=invited where the server runs, or make the account: latchkey users create",
    { wrongInput: "EMAIL_PASSWORD_SIGN_UP_DISABLED" },
  );
}

export function unknownInvitation(id: string): CommandError {
  return new CommandError(`no invitation that is open has the id ${id}`, "latchkey invite list", {
    wrongInput: "unknown_invitation",
  });
}

/** Whether BetterAuth's adapter said that somebody else has the address. */
export function isTaken(error: unknown): boolean {
  const { body } = error as { readonly body?: { readonly code?: unknown } };
  return body?.code === "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL";
}

/** A refusal of requests' rules, said to an operator. */
export function checked<T>(field: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const message = error.message.startsWith(`${field}: `) ? error.message : `${field}: ${error.message}`;
    throw new CommandError(message, remedies[field] ?? "latchkey users --help", { wrongInput: error.code });
  }
}
