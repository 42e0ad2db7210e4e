import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CommandError } from "../../src/errors.ts";
import type { MailContent } from "../../src/mail/content.ts";
import { readTemplates } from "../../src/mail/templates.ts";
import { temporaryDirectory } from "../support/reaper.ts";

const content: MailContent = {
  language: "de",
  subject: "Ein <Betreff>",
  greeting: "Hallo",
  before: ["eins", "zwei & drei"],
  action: { label: "Los", url: "https://a.example/x?y=1&z=2", urlToo: "oder" },
  after: [],
  footer: [],
};

function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = temporaryDirectory("templates");
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

describe("templates of an operator's own", () => {
  test("are the one of the kind and the language, of the kind, of the language, or of all", () => {
    const made = (files: Readonly<Record<string, string>>) =>
      readTemplates(folderOf(files))("recovery", content, "Example").txt;
    const all = { "mail.txt": "4", "mail.de.txt": "3", "recovery.txt": "2", "recovery.de.txt": "1" };
    expect(made(all)).toBe("1");
    expect(made({ "mail.txt": "4", "mail.de.txt": "3", "recovery.txt": "2" })).toBe("2");
    expect(made({ "mail.txt": "4", "mail.de.txt": "3", "verification.txt": "0" })).toBe("3");
    expect(made({ "mail.txt": "4", "mail.fr.txt": "0" })).toBe("4");
    expect(made({ "verification.txt": "0" })).toBeNull();
  });

  test("escape in HTML alone, and keep a subject on one line", () => {
    const render = readTemplates(
      folderOf({
        "mail.html": "{{subject}} {{link}} {{#before}}<p>{{.}}</p>{{/before}}",
        "mail.txt": "{{subject}} {{link}} {{brand}}",
        "mail.subject": "{{brand}}:\n{{subject}}\n",
      }),
    );
    expect(render("recovery", content, "Example")).toEqual({
      html: "Ein &lt;Betreff&gt; https:&#x2F;&#x2F;a.example&#x2F;x?y&#x3D;1&amp;z&#x3D;2 <p>eins</p><p>zwei &amp; drei</p>",
      txt: "Ein <Betreff> https://a.example/x?y=1&z=2 Example",
      subject: "Example: Ein <Betreff>",
    });
  });

  test.each([
    ["recovered.html", "", "is no template's name"],
    ["recovery.xx.html", "", "is no template's name"],
    ["recovery.pdf", "", "is no template's name"],
    ["recovery.html", "{{#before}}", "recovery.html is not used: Unclosed section"],
    ["recovery.html", "x".repeat(300 * 1_024), "are the most"],
  ])("are refused with the reason: %s", (name, text, reason) => {
    expect(() => readTemplates(folderOf({ [name]: text }))).toThrow(reason);
  });

  test("are refused where there is no folder, or a folder for a file", () => {
    expect(() => readTemplates("/nowhere/at/all")).toThrow(CommandError);
    const folder = folderOf({});
    mkdirSync(join(folder, "mail.html"));
    expect(() => readTemplates(folder)).toThrow("mail.html is not used");
  });
});
