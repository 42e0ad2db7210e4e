import type { BrowserContext, Page } from "playwright-core";
import { createScriptedPages, type Script, scriptedCookie } from "./scripted-pages.ts";

/** One thing that a page can look like, and how a visitor gets there. */
export interface PageState {
  readonly name: string;
  /** Text that stands on the page in this state and says which it is. */
  readonly shows: string;
  readonly script?: Script;
  readonly path: string;
  readonly signedIn?: boolean;
  readonly act?: (page: Page) => Promise<void>;
}

/** Opens a state in a browser, from a server of its own. @returns what ends that server. */
export async function openState(
  context: BrowserContext,
  page: Page,
  state: PageState,
): Promise<() => Promise<void>> {
  let respond: (request: Request) => Promise<Response> = async () => new Response(null, { status: 503 });
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => (request.url.endsWith("/logo.svg") ? logo() : respond(request)),
  });
  const origin = `http://localhost:${server.port}`;
  respond = createScriptedPages({ ...state.script, env: { BETTER_AUTH_URL: origin, ...state.script?.env } });
  await context.clearCookies();
  if (state.signedIn === true) {
    const [name = "", value = ""] = scriptedCookie.split("=");
    await context.addCookies([{ name, value, url: origin }]);
  }
  await page.goto(origin + state.path);
  await state.act?.(page);
  return () => server.stop(true);
}

function logo(): Response {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 50"><rect width="200" height="50" rx="12" fill="#0a7d5a"/></svg>`;
  return new Response(svg, { headers: { "content-type": "image/svg+xml" } });
}
