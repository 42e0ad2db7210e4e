import type { Config } from "../config/config.ts";
import { shadesOf } from "../pages/views/accent.ts";
import type { MailContent } from "./content.ts";
import { readTemplates } from "./templates.ts";
import { htmlMail, type MailLook } from "./views/html-mail.tsx";
import { textMail } from "./views/text-mail.ts";

export type RenderConfig = Pick<Config, "brandName" | "brandAccent" | "brandAccentDark"> & {
  readonly mail: NonNullable<Config["mail"]>;
};

/** What a mail looks like, by an operator's templates or latchkey's own. */
export type Render = (
  kind: string,
  content: MailContent,
) => { readonly subject: string; readonly text: string; readonly html: string };

const none = { subject: null, txt: null, html: null };

/** @throws CommandError for templates that cannot be used. */
export function createRender({ mail, brandName, brandAccent, brandAccentDark }: RenderConfig): Render {
  const look: MailLook = {
    brandName,
    light: shadesOf(brandAccent, "light"),
    dark: shadesOf(brandAccentDark, "dark"),
  };
  const own = mail.templates === null ? () => none : readTemplates(mail.templates);
  return (kind, content) => {
    const { subject, txt, html } = own(kind, content, brandName);
    return {
      subject: subject ?? content.subject,
      text: txt ?? textMail(content),
      html: html ?? htmlMail(content, look),
    };
  };
}
