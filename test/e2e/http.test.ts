import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { checkCase, type HttpCase } from "../support/http-table.ts";

setDefaultTimeout(60_000);

const docs = "http://localhost:3000";
const listed = { origin: docs };
const json = { ...listed, "content-type": "application/json" };
const signUp = "/api/auth/sign-up/email";
const signIn = "/api/auth/sign-in/email";
const person = { name: "Ann", email: "ann@example.com", password: "correct horse battery" };
const emoji = (count: number) => "😀".repeat(count);
const noCors = {
  "access-control-allow-origin": null,
  "access-control-allow-credentials": null,
  "access-control-allow-methods": null,
  "access-control-allow-headers": null,
  "access-control-expose-headers": null,
  "access-control-max-age": null,
};
const chunked = (bytes: number) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (let sent = 0; sent < bytes; sent += 4096) controller.enqueue(new Uint8Array(4096).fill(32));
      controller.close();
    },
  });

const routing: readonly HttpCase[] = [
  {
    name: "an unknown path",
    path: "/nope",
    status: 404,
    code: "NOT_FOUND",
    answer: { "cache-control": "no-store" },
  },
  { name: "the root of the API", path: "/api/auth", status: 404, code: "NOT_FOUND" },
  ...[
    "/ok",
    "/error",
    "/list-accounts",
    "/verify-password",
    "/update-session",
    "/callback/github",
    "/token",
    "/reset-password/x/y",
  ].map(
    (path): HttpCase => ({
      name: `S17: BetterAuth's ${path}`,
      path: `/api/auth${path}`,
      status: 404,
      code: "NOT_FOUND",
    }),
  ),
  ...["/sign-in/social", "/unlink-account", "/link-social", "/verify-password"].map(
    (path): HttpCase => ({
      name: `S17: POST ${path}`,
      method: "POST",
      path: `/api/auth${path}`,
      headers: listed,
      body: {},
      status: 404,
      code: "NOT_FOUND",
    }),
  ),
  { name: "an encoded slash", path: "/api/auth%2fget-session", status: 404 },
  {
    name: "the wrong method",
    method: "GET",
    path: signIn,
    status: 405,
    code: "METHOD_NOT_ALLOWED",
    answer: { allow: "POST" },
  },
  {
    name: "the wrong method on health",
    method: "DELETE",
    path: "/health",
    status: 405,
    answer: { allow: "GET, HEAD" },
  },
  { name: "S43: TRACE", method: "TRACE", path: "/health", status: 405 },
  { name: "PUT", method: "PUT", path: signUp, headers: listed, body: {}, status: 405 },
  {
    name: "health",
    path: "/health",
    status: 200,
    contains: ['"status":"ok"', '"database"', '"migrations"'],
    answer: { "cache-control": "no-store" },
  },
  { name: "health with a slash", path: "/health/", status: 200 },
  { name: "S43: HEAD of health", method: "HEAD", path: "/health", status: 200 },
  { name: "liveness", path: "/health/live", status: 200, contains: ['"status":"ok"'] },
  { name: "S43: HEAD of get-session", method: "HEAD", path: "/api/auth/get-session", status: 200 },
  { name: "get-session with a slash", path: "/api/auth/get-session/", status: 200, contains: ["null"] },
  ...[
    "/api/auth/get-session",
    "/api/auth/session",
    "/api/auth/verify",
    "/api/auth/forward",
    "/health",
    "/openapi.json",
  ].map(
    (path): HttpCase => ({
      name: `S51: a repeated parameter of ${path}`,
      path: `${path}?a=1&%61=2`,
      signedIn: true,
      status: 400,
      code: "REPEATED_PARAMETER",
    }),
  ),
];

const sessions: readonly HttpCase[] = [
  {
    name: "S45: get-session of a stranger",
    path: "/api/auth/get-session",
    status: 200,
    contains: ["null"],
    answer: { "cache-control": "no-store", pragma: "no-cache", "set-cookie": null },
  },
  {
    name: "session of a stranger",
    path: "/api/auth/session",
    status: 200,
    contains: ['{"user":null,"session":null}'],
  },
  {
    name: "session of a visitor",
    path: "/api/auth/session",
    signedIn: true,
    status: 200,
    contains: ['"email":"visitor@example.com"', '"token"'],
  },
  { name: "list-sessions of a stranger", path: "/api/auth/list-sessions", status: 401, code: "UNAUTHORIZED" },
  {
    name: "S29, S32, S45: verify without credentials",
    path: "/api/auth/verify",
    status: 401,
    code: "NO_CREDENTIALS",
    answer: {
      "www-authenticate": 'Bearer realm="latchkey"',
      "cache-control": "no-store",
      vary: "Origin, Cookie, Authorization",
      "set-cookie": null,
      ...noCors,
    },
    contains: ['"valid":false'],
  },
  {
    name: "S28, S29, S32, S45: verify of a visitor",
    path: "/api/auth/verify",
    signedIn: true,
    headers: listed,
    status: 200,
    answer: {
      "x-auth-email": "visitor@example.com",
      "x-auth-email-verified": "false",
      "x-auth-name": "Vis%20%C3%AFtor%20100%25",
      "cache-control": "no-store",
      vary: "Origin, Cookie, Authorization",
      "set-cookie": null,
      ...noCors,
    },
    contains: ['"valid":true'],
    excludes: ['"token"', "ipAddress"],
  },
  { name: "verify with a slash", path: "/api/auth/verify/", signedIn: true, status: 200 },
  {
    name: "S43: HEAD of verify",
    method: "HEAD",
    path: "/api/auth/verify",
    signedIn: true,
    status: 200,
    answer: { "x-auth-email": "visitor@example.com" },
  },
  {
    name: "S43: HEAD of verify, anonymous",
    method: "HEAD",
    path: "/api/auth/verify",
    status: 401,
    answer: { "www-authenticate": /Bearer/ },
  },
  {
    name: "S29: verify of a bad signature",
    path: "/api/auth/verify",
    headers: { cookie: "better-auth.session_token=abc.def" },
    status: 401,
    code: "INVALID_SESSION",
    answer: { "www-authenticate": 'Bearer realm="latchkey", error="invalid_token"' },
  },
  {
    name: "verify of a bearer token while off",
    path: "/api/auth/verify",
    headers: { authorization: "Bearer abc" },
    status: 401,
    code: "NO_CREDENTIALS",
  },
  {
    name: "S33: verify's preflight",
    method: "OPTIONS",
    path: "/api/auth/verify",
    headers: { ...listed, "access-control-request-method": "GET" },
    status: 204,
    answer: noCors,
  },
];

const origins: readonly HttpCase[] = [
  {
    name: "S31: a listed origin",
    path: "/api/auth/get-session",
    headers: listed,
    status: 200,
    answer: {
      "access-control-allow-origin": docs,
      "access-control-allow-credentials": "true",
      "access-control-expose-headers": "Retry-After, X-Request-Id, X-Total-Count",
    },
  },
  {
    name: "a listed origin's error",
    path: "/api/auth/list-sessions",
    headers: listed,
    status: 401,
    answer: { "access-control-allow-origin": docs },
  },
  {
    name: "a listed origin's 404",
    path: "/nope",
    headers: listed,
    status: 404,
    answer: { "access-control-allow-origin": docs },
  },
  {
    name: "S33: a listed preflight",
    method: "OPTIONS",
    path: signIn,
    headers: { ...listed, "access-control-request-method": "POST" },
    status: 204,
    answer: {
      "access-control-allow-origin": docs,
      "access-control-allow-methods": "GET, POST, OPTIONS",
      "access-control-allow-headers": "Content-Type, Authorization",
      "access-control-max-age": "600",
    },
  },
  ...[
    "http://evil.example",
    "http://localhost:30000",
    "null",
    "http://localhost:3000.evil.com",
    "constructor",
    "https://localhost:3000",
  ].flatMap((origin): HttpCase[] => [
    {
      name: `S31: reading from ${origin}`,
      path: "/api/auth/get-session",
      headers: { origin },
      status: 200,
      answer: noCors,
    },
    {
      name: `S33: a preflight from ${origin}`,
      method: "OPTIONS",
      path: signIn,
      headers: { origin, "access-control-request-method": "POST" },
      status: 204,
      answer: noCors,
    },
    {
      name: `S34: writing from ${origin}`,
      method: "POST",
      path: signIn,
      headers: { origin, "content-type": "application/json" },
      body: person,
      status: 403,
      answer: noCors,
      excludes: ["set-cookie"],
    },
    {
      name: `S34: writing from ${origin} with a cookie`,
      method: "POST",
      path: "/api/auth/sign-out",
      signedIn: true,
      headers: { origin },
      body: {},
      status: 403,
    },
  ]),
  {
    name: "S34: a cookie without Origin",
    method: "POST",
    path: "/api/auth/sign-out",
    signedIn: true,
    body: {},
    status: 403,
    code: "MISSING_OR_NULL_ORIGIN",
  },
  {
    name: "S34: a cookie and a foreign Referer",
    method: "POST",
    path: "/api/auth/sign-out",
    signedIn: true,
    headers: { referer: "http://evil.example/x" },
    body: {},
    status: 403,
    code: "INVALID_ORIGIN",
  },
  {
    name: "S34: a cross-site form",
    method: "POST",
    path: signIn,
    headers: {
      ...listed,
      "sec-fetch-site": "cross-site",
      "sec-fetch-mode": "navigate",
      "content-type": "application/x-www-form-urlencoded",
    },
    body: "email=a@b.co&password=x",
    status: 403,
    code: "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED",
  },
  {
    name: "a listed cross-site fetch",
    method: "POST",
    path: signIn,
    headers: { ...json, "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" },
    body: person,
    status: 401,
  },
  {
    name: "a program without Origin or cookie",
    method: "POST",
    path: signIn,
    body: person,
    status: 401,
    code: "INVALID_EMAIL_OR_PASSWORD",
  },
];

const bodies: readonly HttpCase[] = [
  { name: "no body", method: "POST", path: signIn, headers: listed, status: 400 },
  {
    name: "S49: broken JSON",
    method: "POST",
    path: signIn,
    headers: json,
    body: "{",
    status: 400,
    code: "INVALID_BODY",
  },
  ...["null", "[]", "1", '"x"', "[".repeat(30_000)].map(
    (body): HttpCase => ({
      name: `S49: JSON ${body.slice(0, 5)}`,
      method: "POST",
      path: signIn,
      headers: json,
      body,
      status: 400,
      code: "INVALID_BODY",
    }),
  ),
  {
    name: "S49: bad UTF-8",
    method: "POST",
    path: signIn,
    headers: json,
    body: new Uint8Array([0x22, 0xff, 0xfe]),
    status: 400,
    code: "INVALID_BODY",
  },
  {
    name: "another type",
    method: "POST",
    path: signIn,
    headers: { ...listed, "content-type": "text/plain" },
    body: "x",
    status: 415,
    code: "UNSUPPORTED_MEDIA_TYPE",
  },
  {
    name: "multipart",
    method: "POST",
    path: signIn,
    headers: { ...listed, "content-type": "multipart/form-data; boundary=x" },
    body: "--x--",
    status: 415,
  },
  {
    name: "S38: too much, with a length",
    method: "POST",
    path: signIn,
    headers: json,
    body: "x".repeat(32 * 1024 + 1),
    status: 413,
    code: "PAYLOAD_TOO_LARGE",
    answer: { "access-control-allow-origin": docs },
  },
  {
    name: "S38: too much, in chunks",
    method: "POST",
    path: signIn,
    headers: json,
    body: () => chunked(64 * 1024),
    status: 413,
    code: "PAYLOAD_TOO_LARGE",
  },
  {
    name: "S51: a repeated form field",
    method: "POST",
    path: signIn,
    headers: { ...listed, "content-type": "application/x-www-form-urlencoded" },
    body: "email=a@b.co&email=c@d.co&password=x",
    status: 400,
    code: "REPEATED_PARAMETER",
  },
  ...[
    "",
    "plain",
    "a@b",
    "a@b@c.com",
    "a b@c.com",
    "K@example.com".replace("K", "\u212a"),
    "ı@example.com",
    `${"a".repeat(250)}@example.com`,
  ].map(
    (email): HttpCase => ({
      name: `S47: the e-mail ${email.slice(0, 20)}`,
      method: "POST",
      path: signUp,
      headers: json,
      body: { ...person, email },
      status: 400,
    }),
  ),
  ...["name", "email", "password", "image"].map(
    (field): HttpCase => ({
      name: `S48: NUL in ${field}`,
      method: "POST",
      path: signUp,
      headers: json,
      body: { ...person, [field]: "a\0b@example.com" },
      status: 400,
    }),
  ),
  {
    name: "S5: a lone surrogate",
    method: "POST",
    path: signUp,
    headers: json,
    body: { ...person, password: "\ud800 correct horse" },
    status: 400,
    code: "VALIDATION_ERROR",
  },
  {
    name: "S1: a short password",
    method: "POST",
    path: signUp,
    headers: json,
    body: { ...person, password: "1234567" },
    status: 400,
    code: "PASSWORD_TOO_SHORT",
  },
  {
    name: "S1: four emoji",
    method: "POST",
    path: signUp,
    headers: json,
    body: { ...person, password: emoji(4) },
    status: 400,
    code: "PASSWORD_TOO_SHORT",
  },
  {
    name: "S1: a long password",
    method: "POST",
    path: signUp,
    headers: json,
    body: { ...person, password: "x".repeat(129) },
    status: 400,
    code: "PASSWORD_TOO_LONG",
  },
  {
    name: "S54: a long name",
    method: "POST",
    path: signUp,
    headers: json,
    body: { ...person, name: "x".repeat(101) },
    status: 400,
    code: "VALIDATION_ERROR",
  },
  {
    name: "a script for an image",
    method: "POST",
    path: signUp,
    headers: json,
    body: { ...person, image: "javascript:alert(1)" },
    status: 400,
    code: "VALIDATION_ERROR",
  },
  {
    name: "S50: fields that are not the caller's",
    method: "POST",
    path: signUp,
    headers: json,
    body: {
      ...person,
      email: "fields@example.com",
      emailVerified: true,
      id: "mine",
      role: "admin",
      ["__proto__"]: { role: "admin" },
    },
    status: 200,
    excludes: ['"emailVerified":true', '"id":"mine"', "admin"],
  },
  {
    name: "S1: eight emoji",
    method: "POST",
    path: signUp,
    headers: json,
    body: { ...person, email: "emoji@example.com", password: emoji(8) },
    status: 200,
  },
  {
    name: "S1: 128 emoji",
    method: "POST",
    path: signUp,
    headers: json,
    body: { ...person, email: "emoji128@example.com", password: emoji(128) },
    status: 200,
  },
  {
    name: "a form",
    method: "POST",
    path: signUp,
    headers: { ...listed, "content-type": "application/x-www-form-urlencoded" },
    body: "name=F&email=form@example.com&password=correct+horse&rememberMe=false",
    status: 200,
    answer: { "set-cookie": /better-auth\.session_token=[^;]+; Path=\/; HttpOnly; SameSite=Lax/ },
  },
  {
    name: "S52: SQL in a name",
    method: "POST",
    path: signUp,
    headers: json,
    body: { ...person, email: "bobby@example.com", name: `Robert'); DROP TABLE "user";--` },
    status: 200,
    contains: ["DROP TABLE"],
  },
];

/** Sends bytes as they are. @returns the status of the first answer. */
async function rawStatus(origin: string, bytes: string): Promise<number> {
  const answer = Promise.withResolvers<string>();
  const { hostname, port } = new URL(origin);
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_socket, chunk) => answer.resolve(chunk.toString("latin1")),
      close: () => answer.resolve(""),
    },
  });
  socket.write(bytes);
  const text = await answer.promise;
  socket.end();
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
}

describe.each(dialects)("HTTP on %s", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  let cookie = "";
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({ env: database.env });
    const client = createClient(server.origin, { requestOrigin: docs });
    await client.auth.signUp.email({
      name: "Vis ïtor 100%",
      email: "visitor@example.com",
      password: person.password,
    });
    cookie = client.jar.header();
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  for (const [title, rows] of Object.entries({ routing, sessions, origins, bodies })) {
    describe(title, () => {
      for (const row of rows) {
        test(row.name, async () => {
          await checkCase(server.origin, row, cookie);
        });
      }
    });
  }

  test("S32, S44: security headers and Vary stand on every kind of answer", async () => {
    for (const path of ["/health", "/nope", "/api/auth/verify", "/api/auth/get-session"]) {
      const { headers } = await fetch(server.origin + path);
      expect(Object.fromEntries(headers)).toMatchObject({
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "content-security-policy": expect.stringContaining("frame-ancestors 'none'"),
        vary: expect.stringContaining("Origin"),
      });
    }
  });

  test.each([
    ["S41, S42: two Host headers", "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
    ["S42: no Host header", "GET /health HTTP/1.1\r\n\r\n", 400],
    ["S42: a Host that is none", "GET /health HTTP/1.1\r\nHost: a b\r\n\r\n", 400],
    ["S42: a Host with a path", "GET /health HTTP/1.1\r\nHost: a/b\r\n\r\n", 400],
    ["S42: a Host with user info", "GET /health HTTP/1.1\r\nHost: u@a\r\n\r\n", 400],
    [
      "S41: Content-Length and Transfer-Encoding",
      `POST ${signIn} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    [
      "S41: two Content-Lengths",
      `POST ${signIn} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd`,
      400,
    ],
    [
      "S41: an obfuscated Transfer-Encoding",
      `POST ${signIn} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ["S43: CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405],
    ["S43: TRACE", "TRACE /health HTTP/1.1\r\nHost: a\r\n\r\n", 405],
    ["another host's name", "GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200],
    ["a path that climbs", "GET /api/auth/x/%2e%2e/get-session HTTP/1.1\r\nHost: a\r\n\r\n", 200],
    ["a path that climbs out", "GET /api/auth/../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 404],
    ["a whole URL as target", "GET http://evil.example/health HTTP/1.1\r\nHost: a\r\n\r\n", 200],
    ["a host of one character", "GET /signin HTTP/1.1\r\nHost: a\r\n\r\n", 200],
    ["a host of three characters", "GET /health HTTP/1.1\r\nHost: sso\r\n\r\n", 200],
    [
      "a route below another, by a short host",
      "GET /assets/api/auth/session HTTP/1.1\r\nHost: a\r\n\r\n",
      404,
    ],
    [
      "S39: a header of 20 KB",
      `GET /health HTTP/1.1\r\nHost: a\r\nX-Long: ${"x".repeat(20_000)}\r\n\r\n`,
      431,
    ],
    ["S39: 300 fields", `GET /health HTTP/1.1\r\nHost: a\r\n${"X: y\r\n".repeat(300)}\r\n`, 431],
  ])("%s, raw", async (_name, bytes, status) => {
    expect(await rawStatus(server.origin, bytes)).toBe(status);
  });

  test("an inbound request id of a stranger is not kept", async () => {
    const response = await fetch(`${server.origin}/health/live`, { headers: { "x-request-id": "mine" } });
    expect(response.headers.get("x-request-id")).not.toBe("mine");
  });

  test("S58: the client's address is the peer's, whatever it claims", async () => {
    const claims = {
      "x-forwarded-for": "6.6.6.6",
      "x-real-ip": "6.6.6.6",
      "x-latchkey-client-address": "6.6.6.6",
      forwarded: "for=6.6.6.6",
    };
    await fetch(server.origin + signIn, {
      method: "POST",
      headers: { ...json, ...claims },
      body: JSON.stringify({ email: "visitor@example.com", password: person.password }),
    });
    const rows = await database.query("SELECT ip_address FROM session");
    expect(new Set(rows.map((row) => row["ip_address"]))).toEqual(new Set(["127.0.0.1"]));
  });
});
