import { expect } from "bun:test";

/** One row of an HTTP table: a request and everything its answer must and must not be. */
export interface HttpCase {
  readonly name: string;
  /** Default GET. */
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: object | string | Uint8Array | (() => ReadableStream<Uint8Array>);
  /** Sends the cookie of a signed-in visitor. */
  readonly signedIn?: boolean;
  readonly status: number;
  /** Exact value, pattern, or null: absent. */
  readonly answer?: Readonly<Record<string, string | RegExp | null>>;
  /** The body's `code`. */
  readonly code?: string;
  readonly contains?: readonly string[];
  readonly excludes?: readonly string[];
}

/** What no answer may name: the inside of the server. */
const internals = [
  /\bat \w+ \(/,
  /node_modules/,
  /SELECT /i,
  /sqlite/i,
  /postgres/i,
  /drizzle/i,
  /better-call/,
  /elysia/i,
  /\/tmp\//,
];

/** Sends a row's request and asserts its answer. @param cookie of a signed-in visitor. */
export async function checkCase(origin: string, row: HttpCase, cookie: string): Promise<Response> {
  const headers = new Headers(row.headers);
  if (row.signedIn === true) headers.set("cookie", cookie);
  const isJson = typeof row.body === "object" && !(row.body instanceof Uint8Array);
  if (isJson && !headers.has("content-type")) headers.set("content-type", "application/json");
  const response = await fetch(origin + row.path, {
    method: row.method ?? "GET",
    headers,
    redirect: "manual",
    ...bodyOf(row, isJson),
  });
  const text = await response.text();
  expect({ status: response.status, text }).toEqual({ status: row.status, text: expect.any(String) });
  for (const [name, wanted] of Object.entries(row.answer ?? {})) {
    const found = response.headers.get(name);
    if (wanted instanceof RegExp) expect(found ?? "").toMatch(wanted);
    else expect({ [name]: found }).toEqual({ [name]: wanted });
  }
  if (row.code !== undefined)
    expect(JSON.parse(text)).toMatchObject({ code: row.code, message: expect.any(String) });
  for (const part of row.contains ?? []) expect(text).toContain(part);
  const all = `${text}\n${JSON.stringify([...response.headers])}`;
  for (const part of row.excludes ?? []) expect(all).not.toContain(part);
  for (const pattern of internals) expect(all).not.toMatch(pattern);
  expect(response.headers.get("x-request-id") ?? "").toMatch(/^[A-Za-z0-9._-]{1,64}$/);
  expect(response.headers.get("vary") ?? "").toContain("Origin");
  if (response.status >= 400 && (row.method ?? "GET") !== "HEAD") {
    expect(response.headers.get("content-type") ?? "").toMatch(/^(application\/json|text\/html)/);
  }
  return response;
}

function bodyOf(
  { body }: HttpCase,
  isJson: boolean,
): { body?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> } {
  if (body === undefined) return {};
  if (isJson) return { body: JSON.stringify(body) };
  return { body: typeof body === "function" ? body() : (body as string) };
}
