import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import Mustache from "mustache";
import { mailKinds } from "../auth/outgoing-mail.ts";
import { CommandError } from "../errors.ts";
import { languageCode } from "../language.ts";
import type { MailContent } from "./content.ts";
import { spaced } from "./views/text-mail.ts";

/** What an operator's own templates make of a mail; null of a part that none is for. */
export type RenderOwn = (
  kind: string,
  content: MailContent,
  brandName: string,
) => Record<Part, string | null>;

const parts = ["html", "txt", "subject"] as const;
type Part = (typeof parts)[number];

const sizeMax = 256 * 1_024;

/**
 * Reads a folder of templates, once: `recovery.de.html`, `recovery.html`, or `mail.html` for every kind, of which the first that
 * is there counts. @throws CommandError for a folder or a file that cannot be used, with the reason.
 */
export function readTemplates(folder: string): RenderOwn {
  const templates = new Map(namesIn(folder).map((name) => [name, readTemplate(folder, name)]));
  const find = (kind: string, language: string, part: Part) =>
    [`${kind}.${language}.${part}`, `${kind}.${part}`, `mail.${language}.${part}`, `mail.${part}`]
      .map((name) => templates.get(name))
      .find((template) => template !== undefined);
  return (kind, content, brandName) => {
    const view = viewOf(kind, content, brandName);
    const render = (part: Part) => {
      const template = find(kind, content.language, part);
      if (template === undefined) return null;
      // Text is not HTML: nothing in it is escaped.
      return Mustache.render(template, view, {}, part === "html" ? {} : { escape: String });
    };
    return {
      html: render("html"),
      txt: render("txt"),
      subject: render("subject")?.replaceAll(/\s+/g, " ").trim() ?? null,
    };
  };
}

function namesIn(folder: string): readonly string[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder).filter((name) => !name.startsWith("."));
  } catch (cause) {
    throw refused(`the folder ${folder} cannot be read`, "name a folder that this user may read", cause);
  }
  for (const name of names) {
    const [kind = "", ...rest] = name.split(".");
    const part = rest.pop();
    const [language, ...more] = rest;
    const isKnown =
      (kind === "mail" || mailKinds.some((known) => known === kind)) &&
      parts.some((known) => known === part) &&
      (language === undefined || languageCode(language) !== undefined) &&
      more.length === 0;
    if (!isKnown)
      throw refused(
        `${join(folder, name)} is no template's name`,
        `write KIND.html, KIND.de.html, .txt or .subject, where KIND is ${["mail", ...mailKinds].join(", ")}`,
      );
  }
  return names;
}

function readTemplate(folder: string, name: string): string {
  const path = join(folder, name);
  try {
    const { size } = statSync(path);
    if (size > sizeMax) throw new Error(`it has ${size} bytes, and ${sizeMax} are the most`);
    const text = readFileSync(path, "utf8");
    Mustache.parse(text);
    return text;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw refused(`${path} is not used: ${reason}`, "mend it, or remove it", cause);
  }
}

/** What a template can name: docs/mail.md lists it. */
function viewOf(kind: string, content: MailContent, brandName: string) {
  const { language, subject, greeting, before, action, code, facts = [], after, footer } = content;
  return {
    kind,
    language,
    brand: brandName,
    subject,
    greeting,
    before,
    link: action?.url ?? "",
    linkLabel: action?.label ?? "",
    linkToo: action?.urlToo ?? "",
    codeAbout: code?.about ?? "",
    code: code === undefined ? "" : spaced(code.digits),
    facts: facts.map(([name, value]) => ({ name, value })),
    after,
    footer,
  };
}

function refused(reason: string, remedy: string, cause?: unknown): CommandError {
  return new CommandError(`LATCHKEY_MAIL_TEMPLATES: ${reason}`, remedy, { cause });
}
