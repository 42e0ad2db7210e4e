import type { ComponentChildren } from "preact";
import { markPath } from "./assets.ts";
import { Filled, useMessages, useTexts } from "./texts.tsx";

/** Whom people can ask. */
export interface Contact {
  /** `mailto:…` or `https://…`. */
  readonly href: string;
  readonly label: string;
}

/** Where a page finds what it looks like: files of this server's, or a stylesheet of its own for another site. */
type Look =
  | {
      readonly stylesheetPath: string;
      readonly scriptPath: string;
      readonly iconPath: string;
      readonly fontPath: string;
    }
  | { readonly style: string };

/** What every page shows, the same for all visitors. */
export interface Site {
  readonly brandName: string;
  /** Fit for `src`, or null for latchkey's own mark. */
  readonly logoUrl: string | null;
  readonly look: Look;
  readonly signUp: "open" | "closed" | "invited";
  /** In code points. */
  readonly passwordMinLength: number;
  readonly contact: Contact | null;
  /** Whether mail is sent. */
  readonly mails: boolean;
  /** Where the default redirect leads; null when it leads back here. */
  readonly home: { readonly url: string; readonly host: string } | null;
}

interface DocumentProps {
  readonly site: Site;
  readonly title: string;
  /** Whether the title has the brand's name in it. */
  readonly isNamed?: boolean;
  /** The title says so first: it is what screen readers read of a fresh page. */
  readonly failed?: boolean;
  /** Read out likewise. */
  readonly notice?: string | undefined;
  readonly children: ComponentChildren;
}

/** A whole document around `children`, which bring the landmarks. */
export function Document({ site, title, isNamed = false, failed = false, notice, children }: DocumentProps) {
  const { language, locale, messages } = useTexts();
  const outcome = failed ? `${messages.error} ` : notice === undefined ? "" : `${notice} `;
  return (
    <html lang={language} data-locale={locale}>
      <head>
        <meta charset="utf-8" />
        <title>{`${outcome}${title}${isNamed ? "" : ` – ${site.brandName}`}`}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <Links look={site.look} />
      </head>
      <body>{children}</body>
    </html>
  );
}

function Links({ look }: { readonly look: Look }) {
  if ("style" in look) return <style dangerouslySetInnerHTML={{ __html: look.style }} />;
  return (
    <>
      <link rel="icon" href={look.iconPath} type="image/svg+xml" />
      <link rel="preload" href={look.fontPath} as="font" type="font/woff2" crossorigin="anonymous" />
      <link rel="stylesheet" href={look.stylesheetPath} />
      <script src={look.scriptPath} defer />
    </>
  );
}

/** A page with one card in the middle: sign-in, sign-up, sign-out, failures. */
export function CardPage({ children, ...document }: DocumentProps) {
  const { site } = document;
  return (
    <Document {...document}>
      <div class="stage">
        <header class="stage-brand">
          <Brand site={site} />
        </header>
        <main class="card">{children}</main>
      </div>
    </Document>
  );
}

export function Brand({ site }: { readonly site: Site }) {
  return (
    <span class="brand">
      {site.logoUrl === null ? (
        <svg class="mark" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true">
          <rect width="32" height="32" rx="9" />
          <path d={markPath} />
        </svg>
      ) : (
        <img class="logo" src={site.logoUrl} alt="" />
      )}
      <span>{site.brandName}</span>
    </span>
  );
}

/** Whom to ask, as a link where there is one. */
export function ContactName({ site }: { readonly site: Site }) {
  const m = useMessages();
  if (site.contact === null) return <Filled text={m.whoeverRuns} values={{ brand: site.brandName }} />;
  return <a href={site.contact.href}>{site.contact.label}</a>;
}
