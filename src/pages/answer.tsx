import type { VNode } from "preact";
import { renderToString } from "preact-render-to-string";
import type { Config } from "../config/config.ts";
import { createHash } from "node:crypto";
import { textsFor } from "./language.ts";
import type { PageRequest } from "./page-request.ts";
import { explainStatus, type Refusal } from "./refusals.ts";
import { type Asset, type Assets, createAssets, styleOf } from "./views/assets.ts";
import { ErrorPage } from "./views/error-page.tsx";
import type { Contact, Site } from "./views/layout.tsx";
import { type Texts, TextsContext } from "./views/texts.tsx";
import type { RequestContext } from "../http/request.ts";
import { readCookie } from "../session/cookie.ts";

/** How pages answer: documents under one policy, redirects, assets, and a notice that is shown once. */
export interface PageAnswers {
  readonly site: Site;
  page(page: Pick<PageRequest, "texts">, status: number, document: VNode, headers?: HeadersInit): Response;
  /** Post/Redirect/Get. @param location absolute; @param cookies `Set-Cookie` values. */
  redirect(location: string, cookies?: readonly string[]): Response;
  /** An error that no form can show, as a page. */
  error(refusal: Refusal, context: RequestContext): Response;
  /** The same for somebody on another site, behind a proxy: it needs nothing of this server's. @param again what to try again. */
  errorElsewhere(refusal: Refusal, context: RequestContext, again: string | null): Response;
  /** Null when there is no such asset. */
  asset(path: string): Response | null;
  /** The `Set-Cookie` that has the next page show a notice. @param value what it is given besides. */
  notice(name: string, value?: string): string;
  /** The notice that a request asks for, and the `Set-Cookie` that ends it. */
  takeNotice(headers: Headers): Notice | null;
}

interface Notice {
  readonly name: string;
  readonly value: string | undefined;
  readonly cookie: string;
}

const noticeMaxAgeSeconds = 60;

export function createPageAnswers(config: Config): PageAnswers {
  const accents = { light: config.brandAccent, dark: config.brandAccentDark };
  const assets = createAssets(accents);
  const site = siteOf(config, assets);
  const policy = contentSecurityPolicy(config, ["style-src 'self'", "script-src 'self'", "font-src 'self'"]);
  const style = styleOf(accents);
  const elsewhere: Site = { ...site, logoUrl: null, look: { style } };
  const styleHash = createHash("sha256").update(style).digest("base64");
  const policyElsewhere = contentSecurityPolicy(config, [`style-src 'sha256-${styleHash}'`]);
  // The prefix keeps neighbouring subdomains from writing it.
  const noticeCookie = config.secure ? "__Host-latchkey.notice" : "latchkey.notice";
  const attributes = `Path=/; HttpOnly; SameSite=Lax${config.secure ? "; Secure" : ""}`;
  const show = (texts: Texts, status: number, document: VNode, headers: Headers): Response => {
    headers.set("Content-Type", "text/html; charset=utf-8");
    headers.set("Cache-Control", "no-store");
    const html = renderToString(<TextsContext.Provider value={texts}>{document}</TextsContext.Provider>);
    return new Response(`<!doctype html>${html}`, { status, headers });
  };
  const page: PageAnswers["page"] = ({ texts }, status, document, init) => {
    const headers = new Headers(init);
    headers.set("Content-Security-Policy", policy);
    return show(texts, status, document, headers);
  };
  return {
    site,
    page,
    error(refusal, { request, url, requestId }) {
      const texts = textsFor(request.headers);
      const again =
        config.baseUrl + (url?.pathname ?? "/") + (request.method === "POST" ? "" : (url?.search ?? ""));
      return page(
        { texts },
        refusal.status,
        <ErrorPage
          site={site}
          {...explainStatus(refusal, texts)}
          action={wayOn(refusal.status, config.baseUrl, again, texts)}
          requestId={refusal.status >= 500 ? requestId : null}
        />,
        refusal.headers,
      );
    },
    errorElsewhere(refusal, { request, requestId }, again) {
      const texts = textsFor(request.headers);
      const headers = new Headers(refusal.headers);
      headers.set("Content-Security-Policy", policyElsewhere);
      const document = (
        <ErrorPage
          site={elsewhere}
          {...explainStatus(refusal, texts)}
          action={again === null ? null : { label: texts.messages.tryAgain, href: again }}
          requestId={refusal.status >= 500 ? requestId : null}
        />
      );
      return show(texts, refusal.status, document, headers);
    },
    redirect(location, cookies = []) {
      const headers = new Headers({ Location: location, "Cache-Control": "no-store" });
      for (const cookie of cookies) headers.append("Set-Cookie", cookie);
      return new Response(null, { status: 303, headers });
    },
    asset: (path) => assetResponse(assets, path),
    notice: (name, value) => {
      const content = value === undefined ? name : `${name}.${encodeURIComponent(value)}`;
      return `${noticeCookie}=${content}; Max-Age=${noticeMaxAgeSeconds}; ${attributes}`;
    },
    takeNotice(headers) {
      const content = readCookie(headers.get("cookie") ?? "", noticeCookie);
      if (content === undefined) return null;
      const [name = "", ...rest] = content.split(".");
      const cookie = `${noticeCookie}=; Max-Age=0; ${attributes}`;
      // What was encoded, `readCookie` has decoded.
      return { name, value: rest.length === 0 ? undefined : rest.join("."), cookie };
    },
  };
}

/** What somebody does next who reads of an error. */
function wayOn(status: number, baseUrl: string, again: string, { messages }: Texts) {
  if (status === 401) return { label: messages.signIn, href: `${baseUrl}/signin` };
  return [400, 404, 405].includes(status)
    ? { label: messages.goToAccount, href: `${baseUrl}/account` }
    : { label: messages.tryAgain, href: again };
}

export function withCookies(response: Response, cookies: readonly string[]): Response {
  for (const cookie of cookies) response.headers.append("Set-Cookie", cookie);
  return response;
}

function siteOf(config: Config, { stylesheet, script, icon, font }: Assets): Site {
  const home = new URL(config.defaultRedirectUrl);
  return {
    brandName: config.brandName,
    logoUrl: config.brandLogoUrl,
    look: {
      stylesheetPath: stylesheet.path,
      scriptPath: script.path,
      iconPath: icon.path,
      fontPath: font.path,
    },
    mails: config.mail !== null,
    contact: config.contact === null ? null : contactOf(config.contact),
    signUp: config.signUp,
    passwordMinLength: config.passwordMinLength,
    home:
      home.origin === config.baseUrl || config.defaultRedirectIsGuess
        ? null
        : { url: home.href, host: home.host },
  };
}

function contactOf(contact: string): Contact {
  if (!contact.startsWith("https:")) return { href: `mailto:${contact}`, label: contact };
  const { host, pathname } = new URL(contact);
  return { href: contact, label: host + (pathname === "/" ? "" : pathname) };
}

/** Browsers apply `form-action` to the redirects after a form too, so the listed origins stand in it. */
function contentSecurityPolicy({ trustedOrigins, brandLogoUrl }: Config, sources: readonly string[]): string {
  const logo = brandLogoUrl?.startsWith("http") ? ` ${sourceOf(new URL(brandLogoUrl))}` : "";
  return [
    "default-src 'none'",
    ...sources,
    `img-src 'self'${logo}`,
    `form-action 'self' ${trustedOrigins.join(" ")}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** One address as a source: without its query, `;` and `,` encoded. CSP3 §2.3.1. */
function sourceOf({ origin, pathname }: URL): string {
  return origin + pathname.replaceAll(";", "%3B").replaceAll(",", "%2C");
}

/** A name of another build leads to this one's asset, uncached: during an update two builds answer. */
function assetResponse(assets: Assets, path: string): Response | null {
  const extension = /^\/assets\/latchkey-[0-9a-f]{16}\.(css|js|svg|woff2)$/.exec(path)?.[1];
  const found: Asset | undefined = Object.values(assets).find(
    (asset: Asset) => extension !== undefined && asset.path.endsWith(`.${extension}`),
  );
  if (found === undefined) return null;
  const caching = found.path === path ? "public, max-age=31536000, immutable" : "no-store";
  return new Response(found.body, { headers: { "Content-Type": found.type, "Cache-Control": caching } });
}
