import { createScriptedPages, type Script, scriptedCookie } from "./scripted-pages.ts";

export const origin = "http://localhost:3001";

interface PageAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly html: string;
}

/** A visitor of the scripted pages. Redirects are not followed. */
export interface Visitor {
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<PageAnswer>;
  /** Sends a form as a browser does from our own page. */
  post(
    path: string,
    fields: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<PageAnswer>;
  send(request: Request): Promise<PageAnswer>;
}

export function visit(script: Script = {}, { signedIn = false } = {}): Visitor {
  const respond = createScriptedPages(script);
  const base = { host: "localhost:3001", ...(signedIn ? { cookie: scriptedCookie } : {}) };
  const send = async (request: Request): Promise<PageAnswer> => {
    const response = await respond(request);
    return { status: response.status, headers: response.headers, html: await response.text() };
  };
  return {
    send,
    get: (path, headers) => send(new Request(origin + path, { headers: { ...base, ...headers } })),
    post: (path, fields, headers) =>
      send(
        new Request(origin + path, {
          method: "POST",
          headers: { ...base, origin, ...headers },
          body: new URLSearchParams(fields),
        }),
      ),
  };
}

/** The text of the element with an id; undefined when there is none. Entities are undone. */
export function textOf(html: string, id: string): string | undefined {
  const start = html.indexOf(`id="${id}"`);
  if (start === -1) return undefined;
  const tag = /<(\w+)[^<]*$/.exec(html.slice(0, start))?.[1] ?? "";
  const inner = html.slice(html.indexOf(">", start) + 1, html.indexOf(`</${tag}>`, start));
  return decode(inner.replace(/<[^>]*>/g, ""));
}

/** The opening tag of the element with an id. */
export function tagOf(html: string, id: string): string {
  return decode(new RegExp(`<[a-z]+[^>]* id="${id}"[^>]*>`).exec(html)?.[0] ?? "");
}

function decode(text: string): string {
  return text
    .replaceAll("&quot;", '"')
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}
