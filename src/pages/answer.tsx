import type { VNode } from "preact";
import { renderToString } from "preact-render-to-string";
import type { Config } from "../config/config.ts";
import { explainStatus, type Refusal } from "./messages.ts";
import { type Asset, type Assets, createAssets } from "./views/assets.ts";
import { ErrorPage } from "./views/error-page.tsx";
import type { Site } from "./views/layout.tsx";
import type { RequestContext } from "../http/request.ts";
import { readCookie } from "../session/cookie.ts";

/** How pages answer: documents under one policy, redirects, assets, and a notice that is shown once. */
export interface PageAnswers {
  readonly site: Site;
  page(status: number, document: VNode, headers?: HeadersInit): Response;
  /** Post/Redirect/Get. @param location absolute; @param cookies `Set-Cookie` values. */
  redirect(location: string, cookies?: readonly string[]): Response;
  /** An error that no form can show, as a page. */
  error(refusal: Refusal, context: RequestContext): Response;
  /** Null when there is no such asset. */
  asset(path: string): Response | null;
  /** The `Set-Cookie` that has the next page show a notice. */
  notice(name: string): string;
  /** The notice that a request asks for, and the `Set-Cookie` that ends it. */
  takeNotice(headers: Headers): { readonly name: string; readonly cookie: string } | null;
}

const noticeMaxAgeSeconds = 60;

export function createPageAnswers(config: Config): PageAnswers {
  const assets = createAssets(config.brandAccent);
  const site = siteOf(config, assets);
  const policy = contentSecurityPolicy(config);
  // The prefix keeps neighbouring subdomains from writing it.
  const noticeCookie = config.secure ? "__Host-latchkey.notice" : "latchkey.notice";
  const attributes = `Path=/; HttpOnly; SameSite=Lax${config.secure ? "; Secure" : ""}`;
  const page: PageAnswers["page"] = (status, document, headers) => {
    const answer = new Headers(headers);
    answer.set("Content-Type", "text/html; charset=utf-8");
    answer.set("Content-Security-Policy", policy);
    answer.set("Cache-Control", "no-store");
    return new Response(`<!doctype html>${renderToString(document)}`, { status, headers: answer });
  };
  return {
    site,
    page,
    error(refusal, { request, url, requestId }) {
      const isGone = [400, 404, 405].includes(refusal.status);
      const again =
        config.baseUrl + (url?.pathname ?? "/") + (request.method === "POST" ? "" : (url?.search ?? ""));
      const action = isGone
        ? { label: "Go to your account", href: `${config.baseUrl}/account` }
        : { label: "Try again", href: again };
      return page(
        refusal.status,
        <ErrorPage
          site={site}
          {...explainStatus(refusal)}
          action={action}
          requestId={refusal.status >= 500 ? requestId : null}
        />,
        refusal.headers,
      );
    },
    redirect(location, cookies = []) {
      const headers = new Headers({ Location: location, "Cache-Control": "no-store" });
      for (const cookie of cookies) headers.append("Set-Cookie", cookie);
      return new Response(null, { status: 303, headers });
    },
    asset: (path) => assetResponse(assets, path),
    notice: (name) => `${noticeCookie}=${name}; Max-Age=${noticeMaxAgeSeconds}; ${attributes}`,
    takeNotice(headers) {
      const name = readCookie(headers.get("cookie") ?? "", noticeCookie);
      return name === undefined ? null : { name, cookie: `${noticeCookie}=; Max-Age=0; ${attributes}` };
    },
  };
}

export function withCookies(response: Response, cookies: readonly string[]): Response {
  for (const cookie of cookies) response.headers.append("Set-Cookie", cookie);
  return response;
}

function siteOf(config: Config, { stylesheet, script, icon }: Assets): Site {
  const home = new URL(config.defaultRedirectUrl);
  return {
    brandName: config.brandName,
    logoUrl: config.brandLogoUrl,
    stylesheetPath: stylesheet.path,
    scriptPath: script.path,
    iconPath: icon.path,
    signUp: config.signUp,
    passwordMinLength: config.passwordMinLength,
    home:
      home.origin === config.baseUrl || config.defaultRedirectIsGuess
        ? null
        : { url: home.href, host: home.host },
  };
}

/** Browsers apply `form-action` to the redirects after a form too, so the listed origins stand in it. */
function contentSecurityPolicy({ trustedOrigins, brandLogoUrl }: Config): string {
  const logo = brandLogoUrl?.startsWith("http") ? ` ${sourceOf(new URL(brandLogoUrl))}` : "";
  return [
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
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
  const extension = /^\/assets\/latchkey-[0-9a-f]{16}\.(css|js|svg)$/.exec(path)?.[1];
  const found: Asset | undefined = Object.values(assets).find(
    (asset: Asset) => extension !== undefined && asset.path.endsWith(`.${extension}`),
  );
  if (found === undefined) return null;
  const caching = found.path === path ? "public, max-age=31536000, immutable" : "no-store";
  return new Response(found.body, { headers: { "Content-Type": found.type, "Cache-Control": caching } });
}
