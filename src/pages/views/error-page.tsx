import { CardPage, ContactName, type Site } from "./layout.tsx";
import { Filled, useMessages } from "./texts.tsx";

export interface ErrorPageProps {
  readonly site: Site;
  readonly title: string;
  readonly explanation: string;
  readonly action: { readonly label: string; readonly href: string } | null;
  /** Shown where somebody may have to look it up. */
  readonly requestId: string | null;
}

/** The answer when there is no page to show. */
export function ErrorPage({ site, title, explanation, action, requestId }: ErrorPageProps) {
  const m = useMessages();
  return (
    <CardPage site={site} title={title} failed>
      <h1>{title}</h1>
      <p>{explanation}</p>
      {action !== null && (
        <a class="button primary" href={action.href}>
          {action.label}
        </a>
      )}
      {requestId !== null && (
        <p class="aside">
          <Filled
            text={site.contact === null ? m.reportCode : m.reportCodeTo}
            values={{ code: <code>{requestId}</code>, contact: <ContactName site={site} /> }}
          />
        </p>
      )}
    </CardPage>
  );
}
