import { renderToString } from "preact-render-to-string";
import { type Shades, surfaces } from "../../pages/views/accent.ts";
import type { MailContent } from "../content.ts";
import { spaced } from "./text-mail.ts";

/** What all mails have in common. */
export interface MailLook {
  readonly brandName: string;
  /** Of the button in light; programs that show mail in the dark change it as they see fit, or by `dark`. */
  readonly light: Shades;
  readonly dark: Shades;
}

const font =
  "font-family: -apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Hiragino Sans', Meiryo, Helvetica, Arial, sans-serif";
const ink = "#1d2129";
const faint = "#596070";
const line = "#dde1e8";

/**
 * A mail as HTML. Tables and inline styles are what Outlook and Gmail keep; what stands in the style element is for
 * programs that know the dark, and nothing is missing without it.
 */
export function htmlMail(content: MailContent, look: MailLook): string {
  return `<!doctype html>${renderToString(<MailDocument content={content} look={look} />)}`;
}

function MailDocument({ content, look }: { readonly content: MailContent; readonly look: MailLook }) {
  const { language, subject, greeting, before, action, code, facts, after, footer } = content;
  const { light } = surfaces;
  return (
    <html lang={language}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="supported-color-schemes" content="light dark" />
        <title>{subject}</title>
        <style dangerouslySetInnerHTML={{ __html: darkStyle(look.dark) }} />
      </head>
      <body class="page" style={`margin: 0; padding: 0; background-color: ${light.page}; ${font}`}>
        <table
          role="presentation"
          class="page"
          width="100%"
          cellPadding="0"
          cellSpacing="0"
          style={`table-layout: fixed; background-color: ${light.page}`}
        >
          <tr>
            <td align="center" style="padding: 24px 12px">
              <table
                role="presentation"
                width="100%"
                cellPadding="0"
                cellSpacing="0"
                style="table-layout: fixed; max-width: 560px; width: 100%"
              >
                <tr>
                  <td
                    class="ink"
                    style={`padding: 0 8px 16px; ${font}; font-size: 18px; font-weight: 600; color: ${ink}`}
                  >
                    {look.brandName}
                  </td>
                </tr>
                <tr>
                  <td
                    class="card"
                    style={`padding: 28px 24px; background-color: ${light.card}; border: 1px solid ${line}; border-radius: 12px`}
                  >
                    <Heading text={subject} />
                    {[greeting, ...before].map((text) => (
                      <Paragraph text={text} />
                    ))}
                    {facts === undefined ? null : <Facts facts={facts} />}
                    {action === undefined ? null : <Action {...action} shades={look.light} />}
                    {code === undefined ? null : <Code {...code} />}
                    {after.map((text) => (
                      <Paragraph text={text} />
                    ))}
                  </td>
                </tr>
                <tr>
                  <td style="padding: 16px 8px 0">
                    {footer.map((text) => (
                      <p
                        class="faint"
                        style={`margin: 0 0 8px; ${font}; font-size: 13px; line-height: 1.5; color: ${faint}`}
                      >
                        {text}
                      </p>
                    ))}
                  </td>
                </tr>
              </table>
            </td>
          </tr>
        </table>
      </body>
    </html>
  );
}

function Heading({ text }: { readonly text: string }) {
  return (
    <h1
      class="ink"
      style={`margin: 0 0 16px; ${font}; font-size: 22px; line-height: 1.3; font-weight: 600; color: ${ink}`}
    >
      {text}
    </h1>
  );
}

function Paragraph({ text }: { readonly text: string }) {
  return (
    <p class="ink" style={`margin: 0 0 16px; ${font}; font-size: 16px; line-height: 1.55; color: ${ink}`}>
      {text}
    </p>
  );
}

/** A cell, since Outlook gives a link neither ground nor padding. */
function Action({
  label,
  url,
  urlToo,
  shades,
}: NonNullable<MailContent["action"]> & { readonly shades: Shades }) {
  return (
    <>
      <table role="presentation" cellPadding="0" cellSpacing="0" style="margin: 0 0 16px">
        <tr>
          <td
            class="button"
            style={`border-radius: 8px; border: 1px solid ${shades.edge}; background-color: ${shades.fill}`}
          >
            <a
              class="button"
              href={url}
              style={`display: inline-block; border-radius: 8px; padding: 12px 20px; ${font}; font-size: 16px; font-weight: 600; color: ${shades.onFill}; text-decoration: none`}
            >
              {label}
            </a>
          </td>
        </tr>
      </table>
      <p
        class="faint"
        style={`margin: 0 0 16px; ${font}; font-size: 13px; line-height: 1.5; color: ${faint}`}
      >
        {urlToo}
        <br />
        <a
          class="link"
          href={url}
          style={`color: ${shades.text}; overflow-wrap: anywhere; word-break: break-all`}
        >
          {url}
        </a>
      </p>
    </>
  );
}

function Code({ about, digits }: NonNullable<MailContent["code"]>) {
  const style = `margin: 0 0 16px; ${font}; font-size: 26px; line-height: 1.3; letter-spacing: 2px; color: ${ink}`;
  return (
    <>
      <Paragraph text={about} />
      <p class="ink" style={style}>
        {spaced(digits)}
      </p>
    </>
  );
}

function Facts({ facts }: { readonly facts: NonNullable<MailContent["facts"]> }) {
  const cell = `padding: 4px 16px 4px 0; ${font}; font-size: 15px; line-height: 1.45; vertical-align: top`;
  return (
    <table role="presentation" cellPadding="0" cellSpacing="0" style="margin: 0 0 16px">
      {facts.map(([name, value]) => (
        <tr>
          <td class="faint" style={`${cell}; color: ${faint}; white-space: nowrap`}>
            {name}
          </td>
          <td class="ink" style={`${cell}; color: ${ink}; word-break: break-word`}>
            {value}
          </td>
        </tr>
      ))}
    </table>
  );
}

function darkStyle(shades: Shades): string {
  const { card, page } = surfaces.dark;
  const rules = [
    `.page { background-color: ${page} !important; }`,
    `.card { background-color: ${card} !important; border-color: #2c313c !important; }`,
    ".ink { color: #e8eaf0 !important; }",
    ".faint { color: #a2a9b8 !important; }",
    `.link { color: ${shades.text} !important; }`,
    `.button { background-color: ${shades.fill} !important; border-color: ${shades.edge} !important; color: ${shades.onFill} !important; }`,
  ];
  return `@media (prefers-color-scheme: dark) { ${rules.join(" ")} }`;
}
