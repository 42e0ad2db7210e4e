import type { MailContent } from "../content.ts";

/** A mail as text, of lines as long as they are: whoever shows it breaks them. */
export function textMail({ greeting, before, action, code, facts, after, footer }: MailContent): string {
  const list = facts === undefined ? [] : [facts.map(([name, value]) => `${name}: ${value}`).join("\n")];
  const link = action === undefined ? [] : [`${action.label}:\n${action.url}`];
  const digits = code === undefined ? [] : [`${code.about}\n${spaced(code.digits)}`];
  const parts = [greeting, ...before, ...list, ...link, ...digits, ...after, `-- \n${footer.join("\n")}`];
  return `${parts.join("\n\n")}\n`;
}

/** Digits as people read them: `1234 5678`. */
export function spaced(digits: string): string {
  return digits.replace(/^(\d{4})(\d{4})$/, "$1 $2");
}
