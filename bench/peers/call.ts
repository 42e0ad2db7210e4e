import type { RequestParts } from "../load/requests.ts";
import { ask } from "../targets/bare.ts";

/** Asks an API once. @returns the body as JSON; throws unless the answer is 200. */
export async function call(url: string, request: RequestParts): Promise<unknown> {
  const { status, body } = await ask(url, request);
  if (status !== 200) throw new Error(`${request.path} answered ${status} ${body.slice(0, 300)}`);
  return JSON.parse(body);
}

/** A POST of `body` as JSON. */
export function post(
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): RequestParts {
  return {
    method: "POST",
    path,
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  };
}

/** The text under a path of keys, such as `user.email`; undefined where there is none. */
export function textAt(value: unknown, path: string): string | undefined {
  let found = value;
  for (const key of path.split(".")) {
    if (typeof found !== "object" || found === null) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return typeof found === "string" ? found : undefined;
}

/** @throws where `textAt` finds none. */
export function requireText(value: unknown, path: string): string {
  const text = textAt(value, path);
  if (text === undefined) throw new Error(`no ${path} in ${JSON.stringify(value).slice(0, 300)}`);
  return text;
}
