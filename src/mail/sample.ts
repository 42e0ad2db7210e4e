import type { MailKind } from "../auth/outgoing-mail.ts";
import type { Mail } from "../database/outbox.ts";
import type { Language } from "../language.ts";
import type { MailContent } from "./content.ts";
import { accountDeleted, newDevice, passwordChanged } from "./happenings.ts";
import {
  changeContent,
  changedContent,
  recoveryContent,
  takenContent,
  verificationContent,
} from "./link-contents.ts";
import type { FrameDeps } from "./making.ts";

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/** A mail of a kind as somebody would get it, but for its link and its code, which do nothing. @param at in ms since the epoch. */
export async function sampleMail(
  deps: FrameDeps,
  kind: MailKind,
  language: Language,
  at: number,
): Promise<{ readonly mail: Mail; readonly content: MailContent }> {
  const { baseUrl } = deps.config;
  const token = "sample".padEnd(43, "-");
  const [recover, confirm] = [`${baseUrl}/recover?token=${token}`, `${baseUrl}/confirm?token=${token}`];
  const happening = { at, userAgent: firefox, clientAddress: "203.0.113.7" };
  const told = { ...happening, language };
  const recipient = "ann@example.com";
  const mail: Mail = { id: "sample", kind, recipient, payload: "", createdAt: at };
  const make: Readonly<Record<MailKind, () => MailContent | Promise<MailContent>>> = {
    recovery: () => recoveryContent(deps, language, recover),
    sign_up_taken: () => takenContent(deps, language, recover),
    verification: () => verificationContent(deps, language, confirm, "12345678"),
    email_change: () => changeContent(deps, language, confirm),
    email_changed: () => changedContent(deps, language, confirm, "new@example.com", happening),
    password_changed: () => passwordChanged(deps, mail, told),
    new_device: () => newDevice(deps, mail, told),
    account_deleted: () => accountDeleted(deps, mail, told),
  };
  return { mail, content: await make[kind]() };
}
