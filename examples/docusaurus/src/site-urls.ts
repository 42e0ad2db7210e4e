import siteConfig from "@generated/docusaurus.config";

type SiteUrls = { latchkeyUrl: string; apiUrl: string };

declare global {
  interface Window {
    /** Set by `static/site-urls.js`. */
    __SITE_URLS__?: Partial<SiteUrls>;
  }
}

/** Without a trailing slash. */
export const latchkeyUrl = siteUrl("latchkeyUrl");
/** Without a trailing slash. */
export const apiUrl = siteUrl("apiUrl");

function siteUrl(name: keyof SiteUrls): string {
  const built = String(siteConfig.customFields?.[name]);
  const replaced = typeof window === "undefined" ? undefined : window.__SITE_URLS__?.[name];
  if (replaced === undefined) return built;
  // A typing error in a file that nobody compiles must not take the whole site down with it.
  if (/^https?:\/\/[^/]/i.test(replaced)) return replaced.replace(/\/+$/, "");
  console.error(`site-urls.js: ${name} must start with http:// or https://; ${built} is used instead.`);
  return built;
}

/** Latchkey's sign-in page; it sends people back to `returnTo`, query and hash included. */
export function signInUrl(returnTo: string): string {
  return `${latchkeyUrl}/signin?callbackUrl=${encodeURIComponent(returnTo)}`;
}

/** Latchkey's page for one's name, password and sessions. */
export const accountUrl = `${latchkeyUrl}/account`;
