import { CardPage, type Site } from "./layout.tsx";

export interface ErrorPageProps {
  readonly site: Site;
  readonly title: string;
  readonly explanation: string;
  readonly action: { readonly label: string; readonly href: string };
  /** Shown where somebody may have to look it up. */
  readonly requestId: string | null;
}

/** The answer when there is no page to show. */
export function ErrorPage({ site, title, explanation, action, requestId }: ErrorPageProps) {
  return (
    <CardPage site={site} title={title} failed>
      <h1>{title}</h1>
      <p>{explanation}</p>
      <a class="button primary" href={action.href}>
        {action.label}
      </a>
      {requestId !== null && (
        <p class="aside">
          If it goes on, report the code <code>{requestId}</code>
        </p>
      )}
    </CardPage>
  );
}
