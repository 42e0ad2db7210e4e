import type { FormError } from "./views/form.tsx";
import type { Messages } from "./views/messages/en.ts";
import { fill, type Texts, waitingTime } from "./views/texts.tsx";
import { type InputRules, nameMaxLength, passwordMaxLength } from "../auth/input.ts";

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

/** Where a form has its passwords, and what is asked of them. */
export interface FormNames extends InputRules {
  /** The field with the new password, where one is chosen. */
  readonly newPassword?: string;
  /** The field with the existing password. */
  readonly password?: string;
}

/** Says a refusal in words, at the field that mends it where there is one. */
export function explainRefusal(refusal: Refusal, names: FormNames, texts: Texts): FormError {
  const { messages } = texts;
  if (refusal.status === 429)
    return {
      fields: {},
      form: fill(messages.tooMany, { time: waitingTime(texts, retryAfterSeconds(refusal)) }),
    };
  if (refusal.status === 503) return { fields: {}, form: messages.outOfReach };
  const newPassword = names.newPassword ?? "password";
  const password = names.password ?? "password";
  switch (refusal.code) {
    case "INVALID_EMAIL_OR_PASSWORD":
      return { fields: { [password]: messages.signInWrong } };
    case "INVALID_EMAIL":
      return { fields: { email: messages.emailForm } };
    case "EMAIL_DOMAIN_NOT_ALLOWED":
      return { fields: { email: fill(messages.emailDomain, { domains: names.signUpDomains.join(", ") }) } };
    case "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL":
    case "USER_ALREADY_EXISTS":
      return { fields: { email: messages.emailTaken } };
    case "INVALID_CODE":
      return { fields: { code: messages.wrongCode } };
    case "INVALID_PASSWORD":
      return { fields: { [password]: messages.currentPasswordWrong } };
    case "PASSWORD_TOO_SHORT":
      return { fields: { [newPassword]: fill(messages.useAtLeast, { count: names.passwordMinLength }) } };
    case "PASSWORD_TOO_LONG":
      return { fields: { [newPassword]: fill(messages.useAtMost, { count: passwordMaxLength }) } };
    case "PASSWORD_TOO_COMMON":
      return { fields: { [newPassword]: messages.chooseRarer } };
    case "PASSWORD_IS_SITE_NAME":
      return { fields: { [newPassword]: messages.notThisSite } };
    case "PASSWORD_IS_PERSONAL":
      return { fields: { [newPassword]: messages.notYourself } };
    case "PASSWORD_BREACHED":
      return { fields: { [newPassword]: messages.notBreached } };
    case "VALIDATION_ERROR":
      return explainValidation(refusal.message, messages);
  }
  if (refusal.code.startsWith("PASSWORD_")) return { fields: { [newPassword]: messages.chooseAnother } };
  return { fields: {}, form: messages.checkAll };
}

/** The API's form: `name: is too long; at most 100 characters.` */
function explainValidation(message: string, messages: Messages): FormError {
  const field = /^(\w{1,40}): /.exec(message)?.[1];
  if (field === undefined) return { fields: {}, form: messages.checkAll };
  if (field === "email") return { fields: { email: messages.emailForm } };
  if (message.includes("not allowed")) return { fields: { [field]: messages.badCharacter } };
  if (field === "name" && message.includes("too long"))
    return { fields: { name: fill(messages.useAtMost, { count: nameMaxLength }) } };
  return { fields: { [field]: messages.checkThis } };
}

interface Explanation {
  readonly title: string;
  readonly explanation: string;
}

/** The heading and explanation of an answer that is no page. */
export function explainStatus(refusal: Refusal, texts: Texts): Explanation {
  const { messages: m } = texts;
  const time = waitingTime(texts, retryAfterSeconds(refusal));
  const explanations: Readonly<Record<number, Explanation>> = {
    401: { title: m.signInFirst, explanation: m.signInFirstAbout },
    403: { title: m.notAccepted, explanation: m.notAcceptedAbout },
    404: { title: m.notFound, explanation: m.notFoundAbout },
    405: { title: m.notFound, explanation: m.wrongMethod },
    408: { title: m.tookTooLong, explanation: m.tookTooLongAbout },
    413: { title: m.tooMuch, explanation: m.tooMuchAbout },
    429: { title: m.tooManyAttempts, explanation: fill(m.tryAgainIn, { time }) },
    503: { title: m.backInAMoment, explanation: m.outOfReach },
  };
  const fault = { title: m.wentWrong, explanation: m.wentWrongAbout };
  const unreadable = { title: m.brokenLink, explanation: m.brokenLinkAbout };
  return explanations[refusal.status] ?? (refusal.status >= 500 ? fault : unreadable);
}

/** What a page says after a form was taken, by the name that the notice cookie carries. */
const notices: ReadonlyMap<string, keyof Messages> = new Map([
  ["welcome", "welcome"],
  ["welcome-back", "welcomeBack"],
  ["signed-out", "signedOut"],
  ["recovered", "passwordSet"],
  ["link-sent", "linkSent"],
  ["check-mail", "checkMail"],
  ["not-verified", "notVerified"],
  ["code-sent", "checkMail"],
  ["verified", "addressConfirmed"],
  ["email-changed", "addressChanged"],
  ["email-restored", "addressRestored"],
  ["email-asked", "changeAsked"],
  ["name", "nameSaved"],
  ["password", "passwordChanged"],
  ["password-everywhere", "passwordChangedEverywhere"],
  ["session", "deviceSignedOut"],
  ["sessions", "devicesSignedOut"],
] as const);

export function noticeText(name: string | undefined, { messages }: Texts): string | undefined {
  const key = name === undefined ? undefined : notices.get(name);
  return key === undefined ? undefined : messages[key];
}
