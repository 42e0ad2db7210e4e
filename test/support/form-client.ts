import { type CookieJar, createJar } from "./cookie-jar.ts";

export interface FormAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly html: string;
  /** Where it leads, or null. */
  readonly location: string | null;
}

/** A browser without JavaScript: cookies, forms, an `Origin` with each POST. Redirects are not followed. */
export interface FormClient {
  readonly jar: CookieJar;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<FormAnswer>;
  /** @param body fields, or a body that is sent as it is. */
  post(
    path: string,
    body: Readonly<Record<string, string>> | string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<FormAnswer>;
}

/**
 * @param url where the server listens.
 * @param origin what the browser knows it as, e.g. the https origin of a proxy in front of it.
 */
export function createFormClient(
  url: string,
  origin: string = url,
  jar: CookieJar = createJar(),
): FormClient {
  const send = async (path: string, init: RequestInit): Promise<FormAnswer> => {
    const headers = new Headers(init.headers);
    const cookies = jar.header(path.split("?")[0]);
    if (cookies !== "" && !headers.has("cookie")) headers.set("cookie", cookies);
    const response = await fetch(url + path, { ...init, headers, redirect: "manual" });
    jar.store(response);
    const html = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      html,
      location: response.headers.get("location"),
    };
  };
  return {
    jar,
    get: (path, headers = {}) => send(path, { headers: { accept: "text/html", ...headers } }),
    post: (path, body, headers = {}) =>
      send(path, {
        method: "POST",
        headers: {
          accept: "text/html",
          "content-type": "application/x-www-form-urlencoded",
          origin,
          "sec-fetch-site": "same-origin",
          "sec-fetch-mode": "navigate",
          ...headers,
        },
        body: typeof body === "string" ? body : new URLSearchParams(body).toString(),
      }),
  };
}

/** An attribute's value with its entities undone; undefined when `pattern`, whose first group it is, does not match. */
export function attribute(html: string, pattern: RegExp): string | undefined {
  return pattern
    .exec(html)?.[1]
    ?.replaceAll("&quot;", '"')
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}
