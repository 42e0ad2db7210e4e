import type { Happening, MailPayload } from "../auth/outgoing-mail.ts";
import type { Mail } from "../database/outbox.ts";
import type { Language } from "../language.ts";
import { describeDevice, shortAddress } from "../pages/views/device.ts";
import { languages } from "../pages/views/messages/languages.ts";
import { timeOf } from "../pages/views/texts.tsx";
import type { MailContent } from "./content.ts";
import { framed, type FrameDeps } from "./making.ts";
import type { MailMessages } from "./views/messages/en.ts";

/** When, where and with what something was done. */
export function factsOf(
  { at, userAgent, clientAddress }: Happening,
  { code, locale }: Language,
  m: MailMessages,
): NonNullable<MailContent["facts"]> {
  const messages = languages[code];
  return [
    [m.when, timeOf({ language: code, locale, messages }, new Date(at).toISOString())],
    [m.device, describeDevice(userAgent, messages)],
    [m.address, shortAddress(clientAddress)],
  ];
}

/** Tells of a password that was replaced. */
export async function passwordChanged(
  deps: FrameDeps,
  _mail: Mail,
  { language, ...happening }: MailPayload<"password_changed">,
): Promise<MailContent> {
  const { messages: m, frame, say } = framed(deps, language);
  return {
    ...frame,
    subject: say(m.passwordSubject),
    before: [say(m.passwordAbout)],
    facts: factsOf(happening, language, m),
    after: [m.wasYou, m.passwordAlarm],
    action: forgotten(deps, m),
  };
}

/** Tells of a sign-in from a browser that was never used here. */
export async function newDevice(
  deps: FrameDeps,
  _mail: Mail,
  { language, ...happening }: MailPayload<"new_device">,
): Promise<MailContent> {
  const { messages: m, frame, say } = framed(deps, language);
  return {
    ...frame,
    subject: say(m.deviceSubject),
    before: [say(m.deviceAbout)],
    facts: factsOf(happening, language, m),
    after: [m.wasYou, m.deviceAlarm],
    action: forgotten(deps, m),
  };
}

/** Tells of an account that is gone. */
export async function accountDeleted(
  deps: FrameDeps,
  _mail: Mail,
  { language, ...happening }: MailPayload<"account_deleted">,
): Promise<MailContent> {
  const { messages: m, frame, say } = framed(deps, language);
  return {
    ...frame,
    subject: say(m.deletedSubject),
    before: [say(m.deletedAbout)],
    facts: factsOf(happening, language, m),
    after: [say(m.deletedAlarm)],
  };
}

/** No link that does something by itself: whoever reads the mail asks for one. */
function forgotten({ config }: FrameDeps, m: MailMessages): NonNullable<MailContent["action"]> {
  return { label: m.recoveryAction, url: `${config.baseUrl}/forgot-password`, urlToo: m.linkToo };
}
