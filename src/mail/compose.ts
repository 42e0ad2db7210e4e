import MailComposer from "nodemailer/lib/mail-composer";
import type { Mail } from "../database/outbox.ts";
import type { MailContent } from "./content.ts";
import { createRender, type RenderConfig } from "./render.ts";

/** A message as SMTP takes it. */
export interface Message {
  readonly from: string;
  readonly to: string;
  /** RFC 5322, with its headers. */
  readonly raw: Buffer;
}

/** Makes messages. The same mail has the same id and date at every attempt, so that a copy is seen to be one. */
export type Compose = (mail: Mail, content: MailContent) => Promise<Message>;

export function createCompose(settings: RenderConfig): Compose {
  const render = createRender(settings);
  const { fromName, fromAddress } = settings.mail;
  const domain = fromAddress.slice(fromAddress.lastIndexOf("@") + 1);
  return async ({ id, kind, recipient, createdAt }, content) => {
    const composer = new MailComposer({
      from: { name: fromName, address: fromAddress },
      to: { name: "", address: recipient },
      ...render(kind, content),
      messageId: `<${id}@${domain}>`,
      date: new Date(createdAt),
      headers: {
        // RFC 3834: neither absence notes nor other programs answer it.
        "Auto-Submitted": "auto-generated",
        Precedence: "bulk",
        "Content-Language": content.language,
      },
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    return { from: fromAddress, to: recipient, raw: await composer.compile().build() };
  };
}
