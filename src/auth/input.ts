import { domainToASCII } from "node:url";
import type { ErrorCode } from "../error-codes.ts";
import { AppError } from "../errors.ts";
import type { AuthRouteName } from "../routes.ts";
import type { PasswordOwner, RequireUnguessable } from "./guessable.ts";

/** Values of a body that BetterAuth will see. */
export type Body = Record<string, unknown>;

export interface InputRules {
  /** In code points. */
  readonly passwordMinLength: number;
  /** Whose addresses may sign up; none for everybody's. */
  readonly signUpDomains: readonly string[];
  readonly requireUnguessable: RequireUnguessable;
}

export const passwordMaxLength = 128;
export const nameMaxLength = 100;
export const emailMaxLength = 254;
export const imageMaxLength = 2_048;
/** What a form writes for yes and no. */
const booleans: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["on", true],
  ["1", true],
  ["false", false],
  ["off", false],
  ["0", false],
]);

/**
 * Checks what BetterAuth leaves unchecked and brings it into the one form that is stored: lengths in code points, no
 * NUL and no lone surrogates, e-mail addresses in ASCII, an image that is a web address.
 * @param visitor who is signed in.
 * @returns the body to hand on.
 * @throws AppError 400 with upstream's code where it has one.
 */
export function checkInput(
  route: AuthRouteName,
  body: Body,
  rules: InputRules,
  visitor: PasswordOwner = {},
): Body {
  for (const [name, value] of Object.entries(body)) requireWellFormed(name, value);
  requireTypes(route, body);
  const checked: Body = { ...body };
  if (typeof checked["rememberMe"] === "string")
    checked["rememberMe"] = booleans.get(checked["rememberMe"]) ?? checked["rememberMe"];
  if (typeof checked["revokeOtherSessions"] === "string") {
    checked["revokeOtherSessions"] =
      booleans.get(checked["revokeOtherSessions"]) ?? checked["revokeOtherSessions"];
  }
  if (typeof checked["email"] === "string") checked["email"] = canonicalEmail(checked["email"]);
  if (typeof checked["newEmail"] === "string") checked["newEmail"] = canonicalEmail(checked["newEmail"]);
  if (route === "signUp") requireDomain(checked["email"], rules);
  if (typeof checked["callbackURL"] === "string") checked["callbackURL"] = headerSafe(checked["callbackURL"]);
  if ("name" in checked) requireName(checked["name"]);
  if ("image" in checked) requireImage(checked["image"]);
  const chosen = chosenPasswords[route];
  if (chosen !== undefined) requirePassword(checked[chosen], rules, ownerOf(route, checked, visitor));
  if (route === "deleteUser" && (typeof checked["password"] !== "string" || checked["password"] === "")) {
    throw invalid("VALIDATION_ERROR", "The current password is required to delete the account.");
  }
  return checked;
}

/** Where a new password stands. */
export const chosenPasswords: Partial<Record<AuthRouteName, string>> = {
  signUp: "password",
  changePassword: "newPassword",
  resetPassword: "newPassword",
};

/** Whose a new password is: somebody who signs up says so, whoever changes one is signed in. */
function ownerOf(route: AuthRouteName, { name, email }: Body, visitor: PasswordOwner): PasswordOwner {
  return route === "signUp" ? { name, email } : visitor;
}

/** What is wrong with a body, field by field: all of it, where `checkInput` throws the first. */
export function findFaults(
  route: AuthRouteName,
  body: Body,
  rules: InputRules,
): ReadonlyMap<string, AppError> {
  const faults = new Map<string, AppError>();
  for (const [field, value] of Object.entries(body)) {
    try {
      requireWellFormed(field, value);
      if ((field === "email" || field === "newEmail") && typeof value === "string") {
        const email = canonicalEmail(value);
        if (route === "signUp") requireDomain(email, rules);
      }
      if (field === "name") requireName(value);
      if (field === chosenPasswords[route]) requirePassword(value, rules, ownerOf(route, body, {}));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      faults.set(field, error);
    }
  }
  return faults;
}

/** The one form of an address: lower case, the domain as browsers resolve it. @throws AppError 400. */
export function canonicalEmail(email: string): string {
  const trimmed = email.trim();
  const at = trimmed.lastIndexOf("@");
  // A local part outside ASCII has no one form: `K` (Kelvin) lower-cases to `k`, and mail servers rarely take it.
  const local = trimmed.slice(0, at);
  const written = trimmed.slice(at + 1);
  // `domainToASCII` reads the host of a URL: it drops blanks, a port and a path, and undoes percent-encoding.
  const domain = /[\s/\\?#:%[\]]/.test(written) ? "" : domainToASCII(written);
  if (at < 1 || domain === "" || !/^[\x21-\x7e]+$/.test(local))
    throw invalid("INVALID_EMAIL", "Invalid email");
  const canonical = `${local}@${domain}`.toLowerCase();
  if (canonical.length > emailMaxLength)
    throw invalid("INVALID_EMAIL", `Invalid email: longer than ${emailMaxLength} characters`);
  return canonical;
}

/** @throws AppError 400 for the address of somebody whom nobody expects. */
function requireDomain(email: unknown, { signUpDomains }: InputRules): void {
  if (typeof email !== "string" || signUpDomains.length === 0) return;
  if (signUpDomains.includes(email.slice(email.lastIndexOf("@") + 1))) return;
  throw invalid("EMAIL_DOMAIN_NOT_ALLOWED", `Sign-up is for addresses of ${signUpDomains.join(", ")}.`);
}

/** Fields that are text wherever they stand; BetterAuth would store a number for a name, and fail on a list. */
const textFields = [
  "name",
  "email",
  "password",
  "currentPassword",
  "newPassword",
  "callbackURL",
  "token",
  "invitation",
  "redirectTo",
  "callbackUrl",
  "newEmail",
  "code",
];

/** What each route needs, said in words before BetterAuth says it in its library's. */
const requiredFields: Partial<Record<AuthRouteName, readonly string[]>> = {
  signUp: ["name", "email", "password"],
  signIn: ["email", "password"],
  changePassword: ["currentPassword", "newPassword"],
  revokeSession: ["token"],
  requestPasswordReset: ["email"],
  sendVerificationEmail: ["email"],
  changeEmail: ["newEmail"],
  confirm: ["token"],
  verifyEmailCode: ["email", "code"],
  resetPassword: ["token", "newPassword"],
};
const booleanFields = ["rememberMe", "revokeOtherSessions"];

function requireTypes(route: AuthRouteName, body: Body): void {
  for (const name of requiredFields[route] ?? [])
    if (body[name] === undefined) throw invalid("VALIDATION_ERROR", `${name}: is missing.`);
  for (const name of booleanFields) {
    const value = body[name];
    const isBoolean = typeof value === "boolean" || (typeof value === "string" && booleans.has(value));
    if (value !== undefined && !isBoolean)
      throw invalid("VALIDATION_ERROR", `${name}: true or false is expected.`);
  }
  for (const name of textFields) {
    if (Object.hasOwn(body, name) && typeof body[name] !== "string") {
      throw invalid("VALIDATION_ERROR", `${name}: a text is expected.`);
    }
  }
  const { image } = body as { image?: unknown };
  if (image !== undefined && image !== null && typeof image !== "string") {
    throw invalid("VALIDATION_ERROR", "image: an http or https address, or null, is expected.");
  }
  if (route === "updateUser" && !["name", "image", "email"].some((name) => Object.hasOwn(body, name))) {
    throw invalid("VALIDATION_ERROR", "Nothing to update: a name or an image is expected.");
  }
}

/** @throws AppError 400 for what no database or no client takes, with the field's name. */
export function requireWellFormed(name: string, value: unknown): void {
  if (typeof value !== "string") return;
  if (value.includes("\0") || !value.isWellFormed()) {
    throw invalid(
      "VALIDATION_ERROR",
      `${name.slice(0, 40).toWellFormed()}: has a character that is not allowed.`,
    );
  }
}

/** An address as a `Location` can carry it: BetterAuth copies it there. @throws AppError 400. */
function headerSafe(address: string): string {
  if (/\p{Cc}/u.test(address))
    throw invalid("VALIDATION_ERROR", "callbackURL: has a line break or another control character.");
  return address.replace(/[^\x21-\x7e]+/gu, encodeURIComponent);
}

/** @throws AppError 400. */
export function requireName(name: unknown): void {
  if (typeof name !== "string") return;
  if (name.trim() === "") throw invalid("VALIDATION_ERROR", "name: is missing.");
  if (codePoints(name) > nameMaxLength)
    throw invalid("VALIDATION_ERROR", `name: is too long; at most ${nameMaxLength} characters.`);
}

/** @throws AppError 400. */
export function requireImage(image: unknown): void {
  if (image === null || image === undefined || image === "") return;
  if (typeof image !== "string") return;
  const address = URL.canParse(image) ? new URL(image) : undefined;
  if (image.length > imageMaxLength || (address?.protocol !== "https:" && address?.protocol !== "http:")) {
    throw invalid("VALIDATION_ERROR", "image: an http or https address is expected.");
  }
}

/** Requires of a new password what the rules do. @throws AppError 400. */
export function requirePassword(password: unknown, rules: InputRules, owner: PasswordOwner): void {
  if (typeof password !== "string") return;
  // As it is hashed.
  const length = codePoints(password.normalize("NFKC"));
  if (length < rules.passwordMinLength) throw invalid("PASSWORD_TOO_SHORT", "Password too short");
  if (length > passwordMaxLength) throw invalid("PASSWORD_TOO_LONG", "Password too long");
  rules.requireUnguessable(password, owner);
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

function invalid(code: ErrorCode, message: string): AppError {
  return new AppError(code, message);
}
