import type { ComponentChildren } from "preact";
import { markPath } from "./assets.ts";

/** What every page shows, the same for all visitors. */
export interface Site {
  readonly brandName: string;
  /** Fit for `src`, or null for latchkey's own mark. */
  readonly logoUrl: string | null;
  readonly stylesheetPath: string;
  readonly scriptPath: string;
  readonly iconPath: string;
  readonly signUp: "open" | "closed";
  /** In code points. */
  readonly passwordMinLength: number;
  /** Where the default redirect leads; null when it leads back here. */
  readonly home: { readonly url: string; readonly host: string } | null;
}

interface DocumentProps {
  readonly site: Site;
  readonly title: string;
  /** The title says so first: it is what screen readers read of a fresh page. */
  readonly failed?: boolean;
  /** Read out likewise. */
  readonly notice?: string | undefined;
  readonly children: ComponentChildren;
}

/** A whole document around `children`, which bring the landmarks. */
export function Document({ site, title, failed = false, notice, children }: DocumentProps) {
  const outcome = failed ? "Error: " : notice === undefined ? "" : `${notice} `;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>{`${outcome}${title} – ${site.brandName}`}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <link rel="icon" href={site.iconPath} type="image/svg+xml" />
        <link rel="stylesheet" href={site.stylesheetPath} />
        <script src={site.scriptPath} defer />
      </head>
      <body>{children}</body>
    </html>
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
  if (site.logoUrl !== null) return <img class="logo" src={site.logoUrl} alt={site.brandName} />;
  return (
    <span class="brand">
      <svg class="mark" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true">
        <rect width="32" height="32" rx="9" />
        <path d={markPath} />
      </svg>
      {site.brandName}
    </span>
  );
}
