import type { Happening } from "../auth/outgoing-mail.ts";
import type { Language } from "../language.ts";
import type { MailContent } from "./content.ts";
import { factsOf } from "./happenings.ts";
import { type FrameDeps, framed } from "./making.ts";

/** For who forgot a password. */
export function recoveryContent(deps: FrameDeps, language: Language, url: string): MailContent {
  const { messages: m, frame, say } = framed(deps, language);
  return {
    ...frame,
    subject: say(m.recoverySubject),
    before: [say(m.recoveryAbout)],
    action: { label: m.recoveryAction, url, urlToo: m.linkToo },
    after: [m.recoveryLifetime, m.recoveryIgnore],
  };
}

/** For who has an account already. */
export function takenContent(deps: FrameDeps, language: Language, url: string): MailContent {
  const { messages: m, frame, say } = framed(deps, language);
  return {
    ...frame,
    subject: say(m.takenSubject),
    before: [say(m.takenAbout)],
    action: { label: m.recoveryAction, url, urlToo: m.linkToo },
    after: [m.recoveryLifetime, m.takenIgnore],
  };
}

/** For who is to confirm an address. */
export function verificationContent(
  deps: FrameDeps,
  language: Language,
  url: string,
  digits: string,
): MailContent {
  const { messages: m, frame, say } = framed(deps, language);
  return {
    ...frame,
    subject: say(m.verificationSubject),
    before: [say(m.verificationAbout)],
    action: { label: m.verificationAction, url, urlToo: m.linkToo },
    code: { about: m.verificationCode, digits },
    after: [m.dayLifetime, m.verificationIgnore],
  };
}

/** For the address that replaces another. */
export function changeContent(deps: FrameDeps, language: Language, url: string): MailContent {
  const { messages: m, frame, say } = framed(deps, language);
  return {
    ...frame,
    subject: say(m.changeSubject),
    before: [say(m.changeAbout)],
    action: { label: m.changeAction, url, urlToo: m.linkToo },
    after: [m.dayLifetime, m.changeIgnore],
  };
}

/** For the address that was replaced. */
export function changedContent(
  deps: FrameDeps,
  language: Language,
  url: string,
  to: string,
  happening: Happening,
): MailContent {
  const { messages: m, frame, say } = framed(deps, language);
  return {
    ...frame,
    subject: say(m.changedSubject),
    before: [say(m.changedAbout, { address: to })],
    facts: factsOf(happening, language, m),
    action: { label: m.undoAction, url, urlToo: m.linkToo },
    after: [m.undoAbout],
  };
}
