import { createAuthClient } from "better-auth/client";
import { type CookieJar, createJar } from "./cookie-jar.ts";

/** A visitor with a browser's habits: BetterAuth's own client, cookies, and an `Origin` header. */
export interface TestClient {
  /** BetterAuth's real client: `signUp.email`, `signIn.email`, `signOut`, `getSession` … */
  readonly auth: ReturnType<typeof createAuthClient>;
  readonly jar: CookieJar;
  /** `fetch` of a path on the server, with the jar and the Origin; redirects are not followed. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

export interface ClientOptions {
  /** Default: an empty one of its own. */
  readonly jar?: CookieJar;
  /** The page's origin; default the server's own, null for a program that sends none. */
  readonly requestOrigin?: string | null;
}

/** @param origin the server's, e.g. `http://127.0.0.1:3001`. */
export function createClient(
  origin: string,
  { jar = createJar(), requestOrigin = origin }: ClientOptions = {},
): TestClient {
  const send = async (input: string | URL | Request, init: RequestInit = {}) => {
    const options: RequestInit = { redirect: "manual", ...init };
    const request =
      input instanceof Request ? new Request(input, options) : new Request(String(input), options);
    const cookies = jar.header(new URL(request.url).pathname);
    if (cookies !== "" && !request.headers.has("cookie")) request.headers.set("cookie", cookies);
    if (requestOrigin !== null && !request.headers.has("origin"))
      request.headers.set("origin", requestOrigin);
    const response = await fetch(request);
    jar.store(response);
    return response;
  };
  return {
    auth: createAuthClient({ baseURL: origin, fetchOptions: { customFetchImpl: send } }),
    jar,
    fetch: (path, init) => send(new URL(path, origin), init),
  };
}
