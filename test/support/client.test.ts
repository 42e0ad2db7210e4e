import { afterEach, describe, expect, test } from "bun:test";
import { createClient } from "./client.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

interface Seen {
  readonly request: string;
  readonly origin: string | null;
  readonly cookie: string | null;
}

/** Records what arrives; signs everybody in. */
function startStub(): { origin: string; seen: Seen[] } {
  const seen: Seen[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      const { headers } = request;
      seen.push({
        request: `${request.method} ${pathname}`,
        origin: headers.get("origin"),
        cookie: headers.get("cookie"),
      });
      if (pathname === "/away") return Response.redirect("/elsewhere", 302);
      return Response.json({ token: "t" }, { headers: { "Set-Cookie": "session=a%2Bb; Path=/; HttpOnly" } });
    },
  });
  cleanups.push(() => server.stop(true));
  return { origin: server.url.origin, seen };
}

describe("createClient", () => {
  test("keeps cookies between BetterAuth's calls and names its origin", async () => {
    const { origin, seen } = startStub();
    const { auth, jar } = createClient(origin, { requestOrigin: "http://localhost:3000" });
    const { data, error } = await auth.signIn.email({ email: "a@example.com", password: "correct horse" });
    await auth.getSession();
    expect(error).toBeNull();
    expect(data?.token).toBe("t");
    expect(jar.get("session")).toBe("a%2Bb");
    expect(seen).toEqual([
      { request: "POST /api/auth/sign-in/email", origin: "http://localhost:3000", cookie: null },
      { request: "GET /api/auth/get-session", origin: "http://localhost:3000", cookie: "session=a%2Bb" },
    ]);
  });

  test("names the server's own origin by default, none when told so, and shares a jar", async () => {
    const { origin, seen } = startStub();
    const first = createClient(origin);
    await first.fetch("/one");
    await createClient(origin, { jar: first.jar, requestOrigin: null }).fetch("/two");
    expect(seen).toEqual([
      { request: "GET /one", origin, cookie: null },
      { request: "GET /two", origin: null, cookie: "session=a%2Bb" },
    ]);
  });

  test("does not follow redirects", async () => {
    const { origin, seen } = startStub();
    const response = await createClient(origin).fetch("/away");
    expect([response.status, seen.length]).toEqual([302, 1]);
  });
});
