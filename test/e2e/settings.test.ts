import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { openTestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";

setDefaultTimeout(60_000);

const person = { email: "settings@example.com", password: "correct horse battery", name: "Settings" };
const [oldSecret, newSecret] = [
  "old-0f1e2d3c4b5a69788796a5b4c3d2e1f0",
  "new-a9b8c7d6e5f40312233445566778899",
];

const post = (server: RunningLatchkey, path: string, body: object, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/api/auth${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
const cookieOf = async (server: RunningLatchkey) => {
  const response = await post(server, "/sign-up/email", person);
  expect(response.status).toBe(200);
  return response.headers.getSetCookie().find((line) => line.includes("session_token")) ?? "";
};

describe("S27: cookies", () => {
  const https = {
    BETTER_AUTH_URL: "https://auth.example.com",
    BETTER_AUTH_TRUSTED_ORIGINS: "https://docs.example.com",
  };
  test.each([
    ["http", {}, /^better-auth\.session_token=[^;]+; Max-Age=604800; Path=\/; HttpOnly; SameSite=Lax$/],
    [
      "https",
      https,
      /^__Secure-better-auth\.session_token=[^;]+; Max-Age=604800; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    ],
    [
      "a shared domain",
      { ...https, LATCHKEY_COOKIE_DOMAIN: "example.com" },
      /^__Secure-better-auth\.session_token=[^;]+; Max-Age=604800; Domain=example\.com; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    ],
    [
      "SameSite=None",
      { ...https, LATCHKEY_COOKIE_SAMESITE: "none" },
      /^__Secure-better-auth\.session_token=[^;]+; Max-Age=604800; Path=\/; HttpOnly; Secure; SameSite=None$/,
    ],
    [
      "SameSite=None on loopback",
      { LATCHKEY_COOKIE_SAMESITE: "none" },
      /^better-auth\.session_token=[^;]+; Max-Age=604800; Path=\/; HttpOnly; Secure; SameSite=None$/,
    ],
    ["another lifetime", { LATCHKEY_SESSION_EXPIRES_IN: "2d" }, /; Max-Age=172800;/],
  ])("%s", async (_name, env, pattern) => {
    const server = await spawnLatchkey({ env: { BETTER_AUTH_SECRET: newSecret, ...env } });
    const cookie = await cookieOf(server);
    expect(cookie).toMatch(pattern);
    const verified = await fetch(`${server.url}/api/auth/verify`, {
      headers: { cookie: cookie.split(";")[0] ?? "" },
    });
    expect(verified.status).toBe(200);
    expect(verified.headers.has("strict-transport-security")).toBe("BETTER_AUTH_URL" in env);
    await server.stop();
  });
});

test("S62: a rotated secret signs nobody out, on any route, and signs with the new one", async () => {
  const before = await spawnLatchkey({ env: { BETTER_AUTH_SECRET: oldSecret } });
  const client = createClient(before.origin);
  await client.auth.signUp.email(person);
  const cookie = client.jar.header();
  await before.stop();
  const server = await spawnLatchkey({
    env: { BETTER_AUTH_SECRETS: `2:${newSecret},1:${oldSecret}` },
    cwd: before.dir,
  });
  const status = async (path: string, method = "GET") =>
    (
      await fetch(`${server.url}/api/auth${path}`, {
        method,
        headers: { cookie, origin: "http://localhost:3000", "content-type": "application/json" },
        ...(method === "POST" ? { body: JSON.stringify({ name: "Renamed" }) } : {}),
      })
    ).status;
  const session = await (await fetch(`${server.url}/api/auth/get-session`, { headers: { cookie } })).json();
  expect(session).toMatchObject({ user: { email: person.email } });
  expect([
    await status("/verify"),
    await status("/list-sessions"),
    await status("/update-user", "POST"),
    await status("/sign-out", "POST"),
  ]).toEqual([200, 200, 200, 200]);
  expect(await status("/verify")).toBe(401);
  const fresh = await post(server, "/sign-in/email", person);
  const value = fresh.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  await server.stop();
  const after = await spawnLatchkey({ env: { BETTER_AUTH_SECRET: newSecret }, cwd: before.dir });
  expect((await fetch(`${after.url}/api/auth/verify`, { headers: { cookie: value } })).status).toBe(200);
  await after.stop();
});

describe("LATCHKEY_BEARER=signed", () => {
  test("takes a signed value in Authorization, and lets it win over the cookie", async () => {
    const server = await spawnLatchkey({ env: { LATCHKEY_BEARER: "signed" } });
    const client = createClient(server.origin);
    await client.auth.signUp.email(person);
    const value = client.jar.get("better-auth.session_token") ?? "";
    const token = decodeURIComponent(value).split(".")[0] ?? "";
    const verify = async (headers: Record<string, string>) => {
      const response = await fetch(`${server.url}/api/auth/verify`, { headers });
      return `${response.status} ${((await response.json()) as { code?: string }).code ?? "valid"}`;
    };
    expect(await verify({ authorization: `Bearer ${value}` })).toBe("200 valid");
    expect(await verify({ authorization: `bearer ${decodeURIComponent(value)}` })).toBe("200 valid");
    expect(await verify({ authorization: `Bearer ${token}` })).toBe("401 INVALID_SESSION");
    expect(await verify({ authorization: "Basic YTpi" })).toBe("401 NO_CREDENTIALS");
    expect(await verify({ authorization: `Bearer ${token}`, cookie: client.jar.header() })).toBe("200 valid");
    expect(await verify({ authorization: `Bearer ${value}`, cookie: "better-auth.session_token=x.y" })).toBe(
      "200 valid",
    );
    await server.stop();
  });
});

test("S62: instances that get a new secret one after the other, in two steps, take what any of them signs", async () => {
  const database = await openTestDatabase("postgres");
  const rings = [
    `1:${oldSecret}`,
    `1:${oldSecret},2:${newSecret}`,
    `2:${newSecret},1:${oldSecret}`,
    `2:${newSecret}`,
  ];
  const servers = await Promise.all(
    rings.map((ring) =>
      // Its own key would be the first of them.
      spawnLatchkey({ env: { ...database.env, BETTER_AUTH_SECRET: "", BETTER_AUTH_SECRETS: ring } }),
    ),
  );
  const verified = async (signer: RunningLatchkey, other: RunningLatchkey | undefined) => {
    const cookie = (await signedIn(signer)).split(";")[0] ?? "";
    return (await fetch(`${other?.url}/api/auth/verify`, { headers: { cookie } })).status;
  };
  const signedIn = async (server: RunningLatchkey) =>
    (await post(server, "/sign-in/email", person)).headers.getSetCookie()[0] ?? "";
  await cookieOf(servers[0] as RunningLatchkey);
  const statuses: number[][] = [];
  for (const signer of servers)
    statuses.push(await Promise.all(servers.map((other) => verified(signer, other))));
  // Neighbours are there at once; the first and the third never are: that is what the second is for.
  expect(statuses).toEqual([
    [200, 200, 200, 401],
    [200, 200, 200, 401],
    [401, 200, 200, 200],
    [401, 200, 200, 200],
  ]);
  await Promise.all(servers.map((server) => server.stop()));
  await database.close();
});

describe("S58: proxies", () => {
  const forwarded = async (env: Record<string, string>, headers: Record<string, string>) => {
    const server = await spawnLatchkey({ env });
    const client = createClient(server.origin, { requestOrigin: null });
    await post(server, "/sign-up/email", person, headers);
    const signedIn = await post(server, "/sign-in/email", person, headers);
    const cookie = signedIn.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    const session = (await (await client.fetch("/api/auth/get-session", { headers: { cookie } })).json()) as {
      session: { ipAddress: string };
    };
    const requestId = signedIn.headers.get("x-request-id");
    await server.stop();
    const { traceparent } = server.logs().find(({ event }) => event === "sign_in") ?? {};
    return { address: session.session.ipAddress, requestId, traceparent };
  };
  const trusting = { LATCHKEY_TRUSTED_PROXIES: "127.0.0.0/8,10.0.0.0/8" };

  test.each([
    ["an untrusted peer's claim", {}, "6.6.6.6", "127.0.0.1"],
    ["one hop", trusting, "6.6.6.6", "6.6.6.6"],
    ["a spoofed hop before", trusting, "1.1.1.1, 6.6.6.6", "6.6.6.6"],
    ["a trusted hop behind", trusting, "6.6.6.6, 10.1.2.3", "6.6.6.6"],
    ["an IPv6 client", trusting, "2001:db8::1", "2001:db8:0:0:0:0:0:1"],
    ["IPv4 in IPv6", trusting, "::ffff:6.6.6.6", "6.6.6.6"],
    ["nonsense", trusting, "nonsense", "127.0.0.1"],
  ])("%s", async (_name, env, header, wanted) => {
    const { address } = await forwarded(env, { "x-forwarded-for": header });
    expect(normal(address)).toBe(normal(wanted));
  });

  test("keep a trusted proxy's request id, and no other's", async () => {
    const headers = { "x-request-id": "proxy-1" };
    expect((await forwarded(trusting, headers)).requestId).toBe("proxy-1");
    expect((await forwarded({}, headers)).requestId).not.toBe("proxy-1");
    expect((await forwarded(trusting, { "x-request-id": "bad id" })).requestId).not.toBe("bad id");
  });

  test("name their trace in the log, and no other's", async () => {
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    expect((await forwarded(trusting, { traceparent })).traceparent).toBe(traceparent);
    expect((await forwarded({}, { traceparent })).traceparent).toBeUndefined();
  });
});

const normal = (address: string) =>
  address.includes(":") ? new URL(`http://[${address}]`).hostname : address;

test("LATCHKEY_SIGN_UP=closed lets nobody sign up", async () => {
  const server = await spawnLatchkey({ env: { LATCHKEY_SIGN_UP: "closed" } });
  expect((await post(server, "/sign-up/email", person)).status).toBe(400);
  expect((await post(server, "/sign-in/email", person)).status).toBe(401);
  await server.stop();
});

test("LATCHKEY_SIGN_UP_DOMAINS lets in whom it lists, in every spelling, and nobody below or beside", async () => {
  const env = { LATCHKEY_SIGN_UP_DOMAINS: "example.com,bücher.example" };
  const server = await spawnLatchkey({ env });
  const signUp = (email: string) => post(server, "/sign-up/email", { ...person, email });
  for (const email of ["a@example.com", " B@EXAMPLE.com ", "c@bücher.example", "d@xn--bcher-kva.example"])
    expect([email, (await signUp(email)).status]).toEqual([email, 200]);
  for (const email of [
    "a@example.org",
    "a@mail.example.com",
    "a@example.com.evil.org",
    "a@evilexample.com",
    '"x@example.com"@evil.org',
    "a@example.com@evil.org",
  ]) {
    const response = await signUp(email);
    const { code } = (await response.json()) as { code: string };
    expect([email, response.status, code]).toEqual([email, 400, "EMAIL_DOMAIN_NOT_ALLOWED"]);
  }
  const form = await fetch(`${server.url}/signup`, {
    method: "POST",
    headers: { origin: server.origin },
    body: new URLSearchParams({ ...person, email: "a@example.org" }),
  });
  expect([form.status, await form.text()]).toEqual([
    400,
    expect.stringContaining("Use an address of example.com, xn--bcher-kva.example."),
  ]);
  // Who has an account keeps it, and an operator makes whichever he likes.
  const add = ["users", "create", "ann@example.org", "--name", "Ann"];
  const at = { env: { ...env, LATCHKEY_DATA_DIR: `${server.dir}/data` }, stdin: person.password };
  expect((await runLatchkey(add, at)).exitCode).toBe(0);
  expect(
    (await post(server, "/sign-in/email", { email: "ann@example.org", password: person.password })).status,
  ).toBe(200);
  await server.stop();
});

test("S1: LATCHKEY_PASSWORD_MIN_LENGTH counts code points", async () => {
  const server = await spawnLatchkey({ env: { LATCHKEY_PASSWORD_MIN_LENGTH: "12" } });
  expect((await post(server, "/sign-up/email", { ...person, password: "😀".repeat(11) })).status).toBe(400);
  expect((await post(server, "/sign-up/email", { ...person, password: "😀".repeat(12) })).status).toBe(200);
  await server.stop();
});

test("S67: a full line of hashes is 503 with Retry-After, and verify goes on", async () => {
  const server = await spawnLatchkey({ env: { LATCHKEY_HASH_QUEUE: "2" } });
  const cookie = (await cookieOf(server)).split(";")[0] ?? "";
  const attempts = Array.from({ length: 12 }, () => post(server, "/sign-in/email", person));
  const verified = await fetch(`${server.url}/api/auth/verify`, { headers: { cookie } });
  const answers = await Promise.all(attempts);
  const statuses = answers.map((answer) => answer.status);
  expect(verified.status).toBe(200);
  expect(new Set(statuses)).toEqual(new Set([200, 503]));
  const busy = answers.find((answer) => answer.status === 503);
  expect([
    busy?.headers.get("retry-after"),
    ((await busy?.json()) as { code?: string } | undefined)?.code,
  ]).toEqual(["1", "TOO_BUSY"]);
  await server.stop();
});
