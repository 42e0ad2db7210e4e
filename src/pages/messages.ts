import type { FormError } from "./views/form.tsx";

/** A refused form: the API's answer. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** The answer's own, `Retry-After` for one. */
  readonly headers: Readonly<Record<string, string>>;
}

function retryAfterSeconds({ headers }: Refusal): number | null {
  const text = headers["Retry-After"];
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

/** The field that holds the password a visitor chose or was asked for, by form. */
export interface FormNames {
  /** The new password's, where one is chosen. */
  readonly newPassword?: string;
  /** The existing password's. */
  readonly password?: string;
}

/** Says a refusal in words, at the field that mends it where there is one. */
export function explainRefusal(refusal: Refusal, names: FormNames): FormError {
  if (refusal.status === 429) return { fields: {}, form: tooMany(retryAfterSeconds(refusal)) };
  if (refusal.status === 503) return { fields: {}, form: outOfReach };
  const newPassword = names.newPassword ?? "password";
  const password = names.password ?? "password";
  switch (refusal.code) {
    case "INVALID_EMAIL_OR_PASSWORD":
      return { fields: { [password]: "The email or the password is not right. Check both and try again." } };
    case "INVALID_EMAIL":
      return { fields: { email: "Enter an email address such as name@example.com." } };
    case "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL":
    case "USER_ALREADY_EXISTS":
      return { fields: { email: "There is already an account with this email." } };
    case "INVALID_PASSWORD":
      return { fields: { [password]: "This is not your current password." } };
    case "PASSWORD_TOO_LONG":
      return { fields: { [newPassword]: "Choose a password of at most 128 characters." } };
    case "VALIDATION_ERROR":
      return explainValidation(refusal.message);
  }
  // Rules for passwords say their reason themselves.
  if (refusal.code.startsWith("PASSWORD_")) return { fields: { [newPassword]: sentence(refusal.message) } };
  return { fields: {}, form: "That did not work. Check what you entered and try again." };
}

/** The API's form: `name: is too long; at most 100 characters.` */
function explainValidation(message: string): FormError {
  const field = /^(\w{1,40}): /.exec(message)?.[1];
  if (field === undefined) return { fields: {}, form: "Check what you entered and try again." };
  if (field === "email") return { fields: { email: "Enter an email address such as name@example.com." } };
  if (message.includes("not allowed"))
    return { fields: { [field]: "This has a character in it that cannot be used." } };
  if (field === "name" && message.includes("too long"))
    return { fields: { name: "Enter a name of at most 100 characters." } };
  return { fields: { [field]: "Check this and try again." } };
}

/** `Password too short` → `Password too short.` */
function sentence(text: string): string {
  const trimmed = text.trim();
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

const outOfReach = "Accounts cannot be reached at the moment. Wait a little, then try again.";

function tooMany(seconds: number | null): string {
  return `Too many attempts. Try again ${waiting(seconds)}.`;
}

/** @param seconds null when it is not known. */
function waiting(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds) || seconds < 0) return "in a few minutes";
  const count = (amount: number, unit: string) => `in ${amount} ${unit}${amount === 1 ? "" : "s"}`;
  if (seconds < 60) return count(Math.max(1, Math.ceil(seconds)), "second");
  if (seconds < 3_600) return count(Math.ceil(seconds / 60), "minute");
  return count(Math.ceil(seconds / 3_600), "hour");
}

/** The heading and explanation of an answer that is no page. */
export function explainStatus(refusal: Refusal): { readonly title: string; readonly explanation: string } {
  switch (refusal.status) {
    case 403:
      return {
        title: "This was not accepted",
        explanation: "The form came from another website. Open the page here and try again.",
      };
    case 404:
      return { title: "Page not found", explanation: "There is no page at this address." };
    case 405:
      return { title: "Page not found", explanation: "This address does not take that kind of request." };
    case 408:
      return { title: "That took too long", explanation: "Not everything you sent arrived. Try again." };
    case 413:
      return {
        title: "Too much at once",
        explanation: "What you sent is too long. Shorten it and try again.",
      };
    case 429:
      return { title: "Too many attempts", explanation: `Try again ${waiting(retryAfterSeconds(refusal))}.` };
    case 503:
      return { title: "Back in a moment", explanation: outOfReach };
  }
  if (refusal.status >= 500)
    return { title: "Something went wrong", explanation: "The fault is on our side. Try again in a moment." };
  return { title: "That link does not work", explanation: "Part of the address or form cannot be read." };
}

/** What a page says after a form was taken, by the name that the notice cookie carries. */
const notices: ReadonlyMap<string, string> = new Map([
  ["welcome", "Welcome! Your account is ready."],
  ["signed-out", "You are signed out."],
  ["account-deleted", "Your account is deleted."],
  ["name", "Your name is saved."],
  ["password", "Your password is changed."],
  ["password-everywhere", "Your password is changed, and your other devices are signed out."],
  ["session", "The device is signed out."],
  ["sessions", "Your other devices are signed out."],
]);

export function noticeText(name: string | undefined): string | undefined {
  return name === undefined ? undefined : notices.get(name);
}
