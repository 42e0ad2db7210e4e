import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";

setDefaultTimeout(60_000);

type Sent = Readonly<Record<string, string>>;

const auth = "https://auth.example.com";
const docs = "https://docs.example.com";
const signIn = `${auth}/signin?callbackUrl=`;
/** What Traefik and Caddy report of somebody who opens a page. */
const page: Sent = {
  "x-forwarded-method": "GET",
  "x-forwarded-proto": "https",
  "x-forwarded-host": "docs.example.com",
  "x-forwarded-uri": "/guide?page=2&x=%2F",
  "sec-fetch-mode": "navigate",
  accept: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
};
const without = (...names: string[]): Sent =>
  Object.fromEntries(Object.entries(page).filter(([name]) => !names.includes(name)));

const redirects: readonly (readonly [string, Sent, string])[] = [
  ["a page", page, `${docs}/guide?page=2&x=%2F`],
  ["a page's HEAD", { ...page, "x-forwarded-method": "HEAD" }, `${docs}/guide?page=2&x=%2F`],
  ["no method reported: the request's own", without("x-forwarded-method"), `${docs}/guide?page=2&x=%2F`],
  ["a browser without fetch metadata", without("sec-fetch-mode"), `${docs}/guide?page=2&x=%2F`],
  ["HTML alone", { ...page, accept: "text/html" }, `${docs}/guide?page=2&x=%2F`],
  ["HTML last", { ...page, accept: "*/*, Text/HTML;q=0.1" }, `${docs}/guide?page=2&x=%2F`],
  [
    "a cookie that is not valid",
    { ...page, cookie: "__Secure-better-auth.session_token=a.b" },
    `${docs}/guide?page=2&x=%2F`,
  ],
  ["the default port", { ...page, "x-forwarded-host": "DOCS.example.com:443" }, `${docs}/guide?page=2&x=%2F`],
  ["the root", { ...page, "x-forwarded-uri": "/" }, `${docs}/`],
  ["two slashes", { ...page, "x-forwarded-uri": "//evil.example/x" }, `${docs}//evil.example/x`],
  ["an at sign", { ...page, "x-forwarded-uri": "/@evil.example" }, `${docs}/@evil.example`],
  ["a backslash", { ...page, "x-forwarded-uri": "/\\evil.example" }, `${docs}//evil.example`],
  [
    "a query of its own",
    { ...page, "x-forwarded-uri": "/?callbackUrl=https://evil.example" },
    `${docs}/?callbackUrl=https://evil.example`,
  ],
  [
    "the account page",
    { ...page, "x-forwarded-host": "auth.example.com", "x-forwarded-uri": "/account" },
    `${auth}/account`,
  ],
];

const refusals: readonly (readonly [string, Sent])[] = [
  ["nothing reported", {}],
  ["a form", { ...page, "x-forwarded-method": "POST" }],
  ["a preflight", { ...page, "x-forwarded-method": "OPTIONS" }],
  ["a method in lower case", { ...page, "x-forwarded-method": "get" }],
  ["two methods", { ...page, "x-forwarded-method": "GET, POST" }],
  ["a script's fetch", { ...page, "sec-fetch-mode": "cors" }],
  ["a script's fetch of its own origin", { ...page, "sec-fetch-mode": "same-origin" }],
  ["an image", { ...page, "sec-fetch-mode": "no-cors" }],
  ["a WebSocket's fetch mode", { ...page, "sec-fetch-mode": "websocket" }],
  ["JSON wanted", { ...page, accept: "application/json" }],
  ["anything wanted", { ...page, accept: "*/*" }],
  ["something like HTML", { ...page, accept: "application/text/html, text/htmlx" }],
  ["nothing said about types", { ...page, accept: "" }],
  ["an unlisted host", { ...page, "x-forwarded-host": "evil.example" }],
  ["an unlisted subdomain", { ...page, "x-forwarded-host": "x.docs.example.com" }],
  ["another port", { ...page, "x-forwarded-host": "docs.example.com:8443" }],
  ["another scheme", { ...page, "x-forwarded-proto": "http" }],
  ["a WebSocket", { ...page, "x-forwarded-proto": "wss" }],
  ["a scheme with more", { ...page, "x-forwarded-proto": "https://evil.example/?" }],
  ["a scheme that is a listed URL", { ...page, "x-forwarded-proto": `${docs}/?` }],
  ["two schemes", { ...page, "x-forwarded-proto": "https, http" }],
  ["two hosts", { ...page, "x-forwarded-host": "docs.example.com, evil.example" }],
  ["user info", { ...page, "x-forwarded-host": "evil.example@docs.example.com" }],
  ["a host with a path", { ...page, "x-forwarded-host": "docs.example.com/x" }],
  ["no path", { ...page, "x-forwarded-uri": "" }],
  ["a path that continues the host", { ...page, "x-forwarded-uri": ".evil.example/" }],
  ["a path that makes the host user info", { ...page, "x-forwarded-uri": "@evil.example/" }],
  ["a whole URL for a path", { ...page, "x-forwarded-uri": `${docs}/x` }],
  ["a tab in the path", { ...page, "x-forwarded-uri": "/a\tb" }],
  ["a path of 5,000 characters", { ...page, "x-forwarded-uri": `/${"x".repeat(5_000)}` }],
  [
    "the sign-in page itself",
    { ...page, "x-forwarded-host": "auth.example.com", "x-forwarded-uri": "/signin" },
  ],
  ...["x-forwarded-proto", "x-forwarded-host", "x-forwarded-uri", "accept"].map(
    (name): readonly [string, Sent] => [`no ${name}`, without(name)],
  ),
];

/** Of these, what a person looks at. */
const seen = refusals.filter(
  ([, sent]) =>
    ["GET", "HEAD", undefined].includes(sent["x-forwarded-method"]) &&
    sent["accept"] === page["accept"] &&
    sent["sec-fetch-mode"] === "navigate",
);
const unseen = refusals.filter((refusal) => !seen.includes(refusal));

/** All of an answer but what differs between any two. */
async function whole(response: Response) {
  const headers = Object.fromEntries(response.headers);
  delete headers["x-request-id"];
  delete headers["date"];
  return { status: response.status, headers, body: await response.text() };
}

describe("GET /api/auth/forward", () => {
  let database: TestDatabase;
  let behindProxy: RunningLatchkey;
  let inTheOpen: RunningLatchkey;
  let cookie = "";
  const ask = (server: RunningLatchkey, path: string, headers: Sent, method = "GET") =>
    fetch(`${server.url}/api/auth/${path}`, { method, headers, redirect: "manual" });

  beforeAll(async () => {
    database = await openTestDatabase("sqlite");
    const env = {
      ...database.env,
      BETTER_AUTH_URL: auth,
      BETTER_AUTH_TRUSTED_ORIGINS: docs,
    };
    behindProxy = await spawnLatchkey({ env });
    inTheOpen = await spawnLatchkey({ env: { ...env, LATCHKEY_TRUSTED_PROXIES: "none" } });
    const client = createClient(behindProxy.url, { requestOrigin: docs });
    const signedUp = await client.fetch("/api/auth/sign-up/email", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "Ann", email: "ann@example.com", password: "correct horse battery" }),
    });
    cookie = signedUp.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  });
  afterAll(async () => {
    await behindProxy.stop();
    await inTheOpen.stop();
    await database.close();
  });

  test.each(redirects)("sends a visitor to sign in: %s", async (_name, headers, original) => {
    const response = await ask(behindProxy, "forward", headers);
    expect({
      status: response.status,
      location: response.headers.get("location"),
      caching: response.headers.get("cache-control"),
      vary: response.headers.get("vary"),
      challenge: response.headers.get("www-authenticate"),
      cookies: response.headers.getSetCookie(),
      body: await response.text(),
    }).toEqual({
      status: 302,
      location: signIn + encodeURIComponent(original),
      caching: "no-store",
      vary: "Origin, Cookie, Authorization",
      challenge: null,
      cookies: [],
      body: "",
    });
  });

  test.each(seen)("10-C8: is a page to a person who cannot be led back: %s", async (_name, headers) => {
    const response = await ask(behindProxy, "forward", headers);
    expect([response.status, response.headers.get("location")]).toEqual([401, null]);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    const html = await response.text();
    expect(html).toContain("<h1>Sign in first</h1>");
    // It is looked at under another name, where nothing of latchkey's is to be had.
    const style = /<style>([^]*)<\/style>/.exec(html)?.[1] ?? "";
    const hash = new Bun.CryptoHasher("sha256").update(style).digest("base64");
    expect(response.headers.get("content-security-policy")).toContain(`style-src 'sha256-${hash}';`);
    expect(html.replace(style, "")).not.toMatch(/<script|<link|<img|url\(/);
    expect(html).not.toContain("evil.example");
  });

  test.each(unseen)("answers as verify: %s", async (_name, headers) => {
    const response = await ask(behindProxy, "forward", headers);
    expect(response.headers.get("location")).toBeNull();
    const answer = await whole(response);
    expect(answer.status).toBe(401);
    expect(answer).toEqual(await whole(await ask(behindProxy, "verify", headers)));
  });

  test.each(redirects)("believes nobody but a trusted proxy: %s", async (_name, headers) => {
    const answer = await whole(await ask(inTheOpen, "forward", headers));
    expect(answer).toMatchObject({
      status: 401,
      headers: expect.not.objectContaining({ location: expect.anything() }),
    });
    expect(answer).toEqual(await whole(await ask(inTheOpen, "verify", headers)));
  });

  test.each(["GET", "HEAD"])("%s lets a visitor with a session through, as verify does", async (method) => {
    const headers = { ...page, cookie };
    const answer = await whole(await ask(behindProxy, "forward", headers, method));
    expect(answer).toMatchObject({ status: 200, headers: { "x-auth-email": "ann@example.com" } });
    expect(answer).toEqual(await whole(await ask(behindProxy, "verify", headers, method)));
  });

  test("HEAD redirects too, and a trailing slash is the same route", async () => {
    expect((await ask(behindProxy, "forward", page, "HEAD")).status).toBe(302);
    expect((await ask(behindProxy, "forward/", page)).status).toBe(302);
  });

  test("grants no origin anything and takes no other method", async () => {
    const preflight = await ask(
      behindProxy,
      "forward",
      { origin: docs, "access-control-request-method": "GET" },
      "OPTIONS",
    );
    expect([...preflight.headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
    const response = await ask(behindProxy, "forward", { ...page, origin: docs });
    expect([...response.headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
    expect((await ask(behindProxy, "forward", page, "POST")).status).toBe(405);
  });

  test("a page leads back to where the visitor came from, once signed in", async () => {
    const location = (await ask(behindProxy, "forward", page)).headers.get("location") ?? "";
    const { pathname, search } = new URL(location);
    const response = await fetch(behindProxy.url + pathname + search, {
      method: "POST",
      headers: { origin: auth, "content-type": "application/x-www-form-urlencoded" },
      body: "email=ann%40example.com&password=correct+horse+battery&rememberMe=true",
      redirect: "manual",
    });
    expect([response.status, response.headers.get("location")]).toEqual([303, `${docs}/guide?page=2&x=%2F`]);
  });
});

test("an outage is verify's 503, never the way to the sign-in page", async () => {
  const database = await openTestDatabase("postgres");
  const server = await spawnLatchkey({
    env: { ...database.env, LATCHKEY_TRUSTED_PROXIES: "127.0.0.1/32", BETTER_AUTH_TRUSTED_ORIGINS: docs },
  });
  try {
    const client = createClient(server.origin);
    await client.auth.signUp.email({
      name: "Ann",
      email: "ann@example.com",
      password: "correct horse battery",
    });
    const headers = { ...page, cookie: client.jar.header() };
    const ask = () => fetch(`${server.url}/api/auth/forward`, { headers, redirect: "manual" });
    expect((await ask()).status).toBe(200);
    database.network?.stall(true);
    const answer = await whole(await ask());
    expect(answer).toMatchObject({ status: 503, headers: { "retry-after": expect.stringMatching(/^\d+$/) } });
    expect(answer.headers).not.toHaveProperty("location");
    // A person reads of it, and can try the same page again; a program gets verify's answer.
    expect(answer.body).toContain("<h1>Back in a moment</h1>");
    expect(answer.body).toContain(`href="${docs}/guide?page=2&amp;x=%2F"`);
    const program = await fetch(`${server.url}/api/auth/forward`, {
      headers: { ...headers, accept: "application/json" },
    });
    expect([program.status, await program.json()]).toMatchObject([
      503,
      { valid: false, code: "SESSION_STORE_UNAVAILABLE" },
    ]);
  } finally {
    database.network?.stall(false);
    await server.stop();
    await database.close();
  }
});
