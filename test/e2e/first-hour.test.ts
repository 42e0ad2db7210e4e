import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { buildExecutable, runLatchkey, type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const vite = "http://localhost:5999";
let database: TestDatabase;
let server: RunningLatchkey;
beforeAll(async () => {
  database = await openTestDatabase("sqlite");
  server = await spawnLatchkey({ env: database.env });
});
afterAll(async () => {
  await server.stop();
  await database.close();
});

const linesOf = (event: string) => server.logs().filter((line) => line["event"] === event);
/** A log line is written behind the answer. */
const until = async (holds: () => boolean) => {
  const deadline = Date.now() + 5_000;
  while (!holds() && Date.now() < deadline) await Bun.sleep(10);
};
const form = (path: string, fields: Record<string, string>, url = server.origin) =>
  fetch(url + path, {
    method: "POST",
    headers: { origin: server.origin, "sec-fetch-site": "same-origin" },
    body: new URLSearchParams(fields),
    redirect: "manual",
  });

describe("10-A1: an origin that is not listed", () => {
  test("is named in the answer and, once a minute, in the log, with the setting", async () => {
    for (let time = 0; time < 3; time += 1) {
      const answer = await fetch(`${server.url}/api/auth/sign-in/email`, {
        method: "POST",
        headers: { "content-type": "application/json", origin: vite },
        body: "{}",
      });
      expect([answer.status, await answer.json()]).toEqual([
        403,
        { code: "INVALID_ORIGIN", message: `Invalid origin: ${vite} is not in BETTER_AUTH_TRUSTED_ORIGINS` },
      ]);
    }
    await until(() => linesOf("origin_refused").length > 0);
    expect(linesOf("origin_refused")).toHaveLength(1);
    expect(linesOf("origin_refused")[0]).toMatchObject({
      level: "warn",
      origin: vite,
      route: "/api/auth/sign-in/email",
      setting: "BETTER_AUTH_TRUSTED_ORIGINS",
    });
  });

  test.each(["OPTIONS", "GET"])("is logged for a %s, which the browser alone refuses", async (method) => {
    const origin = `http://localhost:${method === "GET" ? 6001 : 6002}`;
    await fetch(`${server.url}/api/auth/get-session`, { method, headers: { origin } });
    await until(() => linesOf("origin_refused").some((line) => line["origin"] === origin));
    expect(linesOf("origin_refused").map((line) => line["origin"])).toContain(origin);
  });

  test("fills neither memory nor log, and forges no line", async () => {
    const before = linesOf("origin_refused").length;
    for (let at = 0; at < 300; at += 1)
      await fetch(`${server.url}/api/auth/get-session`, { headers: { origin: `http://flood${at}.example` } });
    expect(linesOf("origin_refused").length - before).toBeLessThanOrEqual(100);
    expect(server.logs().every((line) => typeof line["level"] === "string")).toBe(true);
  });
});

test("10-A1: a callbackUrl to an origin that is not listed is logged", async () => {
  await fetch(`${server.origin}/signin?callbackUrl=${encodeURIComponent(`${vite}/guide`)}`);
  await fetch(`${server.origin}/signin?callbackUrl=${encodeURIComponent("http://localhost:5173/vite")}`);
  await fetch(`${server.origin}/signin?callbackUrl=nonsense`);
  await until(() => linesOf("callback_refused").length > 0);
  expect(linesOf("callback_refused")).toMatchObject([
    { callback: vite, setting: "BETTER_AUTH_TRUSTED_ORIGINS" },
  ]);
});

describe("10-A2: the first sign-up", () => {
  test("ends on the account, with a welcome, where nobody chose another place", async () => {
    const answer = await form("/signup", {
      name: "Ann",
      email: "first@example.com",
      password: "correct horse",
    });
    expect([answer.status, answer.headers.get("location")]).toEqual([303, `${server.origin}/account`]);
    const cookie = answer.headers
      .getSetCookie()
      .map((one) => one.split(";")[0])
      .join("; ");
    const account = await fetch(`${server.origin}/account`, { headers: { cookie } });
    expect(await account.text()).toContain("Welcome! Your account is ready.");
  });

  test("ends where somebody chose", async () => {
    const other = await openTestDatabase("sqlite");
    const own = await spawnLatchkey({
      env: { ...other.env, BETTER_AUTH_TRUSTED_ORIGINS: "http://localhost:4000" },
    });
    const answer = await fetch(`${own.origin}/signup`, {
      method: "POST",
      headers: { origin: own.origin },
      body: new URLSearchParams({ name: "Ann", email: "a@example.com", password: "correct horse" }),
      redirect: "manual",
    });
    expect(answer.headers.get("location")).toBe("http://localhost:4000/");
    await own.stop();
    await other.close();
  });
});

describe("10-A3: at a terminal", () => {
  test.each(["127.0.0.1", "[::1]"])("a page under %s leads to the public URL", async (name) => {
    const { port } = new URL(server.url);
    const answer = await fetch(`${server.url}/signin?callbackUrl=%2Fx`, {
      headers: { host: `${name}:${port}` },
      redirect: "manual",
    });
    expect([answer.status, answer.headers.get("location")]).toEqual([
      303,
      `${server.origin}/signin?callbackUrl=%2Fx`,
    ]);
    // The API is anybody's to call under any name.
    const live = await fetch(`${server.url}/health/live`, { headers: { host: `${name}:${port}` } });
    expect(live.status).toBe(200);
  });

  test("the start says where to open, where the accounts are, and what to do next", async () => {
    const cwd = temporaryDirectory("terminal");
    const child = Bun.spawn([await buildExecutable()], {
      cwd,
      env: { PORT: "0", LATCHKEY_LOG_FORMAT: "pretty" },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    let text = "";
    for await (const chunk of child.stderr) {
      text += new TextDecoder().decode(chunk);
      if (text.includes("doctor")) break;
    }
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    expect(text).toMatch(/^Open +http:\/\/localhost:\d+\/signup$/m);
    expect(text).toMatch(new RegExp(`^Accounts +${cwd}/data/latchkey\\.db`, "m"));
    expect(text).toMatch(/^Next +\/[^ ]+\/latchkey doctor, /m);
  });
});

describe("10-A4: the log", () => {
  const failing = { email: "Searched@Example.com ", password: "wrong horse battery" };
  const signIn = (url: string) =>
    fetch(`${url}/api/auth/sign-in/email`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(failing),
    });

  test("has what an operator searches a failed sign-in by: a keyed hash of the address", async () => {
    expect((await signIn(server.url)).status).toBe(401);
    const hash = createHmac("sha256", database.env["BETTER_AUTH_SECRET"] ?? "")
      .update("email:searched@example.com")
      .digest("hex")
      .slice(0, 16);
    await until(() => linesOf("sign_in").length > 0);
    const line = linesOf("sign_in").at(-1);
    expect(line).toMatchObject({ outcome: "failure", reason: "unknown_email", emailHash: hash });
    expect(JSON.stringify(line).toLowerCase()).not.toContain("searched");
  });

  test("has the address itself where that was asked for", async () => {
    const other = await openTestDatabase("sqlite");
    const own = await spawnLatchkey({ env: { ...other.env, LATCHKEY_LOG_EMAILS: "on" } });
    await signIn(own.url);
    await until(() => own.logs().some((line) => line["event"] === "sign_in"));
    expect(own.logs().find((line) => line["event"] === "sign_in")).toMatchObject({
      email: "searched@example.com",
    });
    await own.stop();
    await other.close();
    expect((await runLatchkey(["config"], { env: { LATCHKEY_LOG_EMAILS: "maybe" } })).exitCode).toBe(2);
  });
});

describe("10-C8: an address where nothing is", () => {
  const open = (headers: Record<string, string>) =>
    fetch(`${server.origin}/guide/that/is/not/here`, { headers });

  test("is a page to somebody who looks at it in a browser", async () => {
    const answer = await open({ accept: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8" });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([404, "text/html; charset=utf-8"]);
    expect(await answer.text()).toContain("There is no page at this address.");
    expect(answer.headers.get("content-security-policy")).toContain("style-src 'self'");
  });

  test.each([
    ["a program", {}],
    ["a script of a page", { accept: "text/html", "sec-fetch-mode": "cors" }],
    ["a client of the API", { accept: "application/json" }],
  ])("is JSON to %s", async (_who, headers) => {
    const answer = await open(headers as Record<string, string>);
    expect([answer.status, await answer.json()]).toMatchObject([404, { code: "NOT_FOUND" }]);
  });
});

describe("10-C8: a refusal of the API", () => {
  const html = { accept: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8" };
  const body = new URLSearchParams({ email: "nobody@example.com", password: "not this one" });
  const refusals: readonly (readonly [string, string, RequestInit, number, string, string])[] = [
    ["for want of a session", "list-sessions", {}, 401, "Sign in first", "UNAUTHORIZED"],
    ["of a method", "sign-out", {}, 405, "Page not found", "METHOD_NOT_ALLOWED"],
    [
      "of a form from elsewhere",
      "sign-in/email",
      { method: "POST", headers: { origin: "https://evil.example" }, body },
      403,
      "This was not accepted",
      "INVALID_ORIGIN",
    ],
    [
      "of a password",
      "sign-in/email",
      { method: "POST", body },
      401,
      "Sign in first",
      "INVALID_EMAIL_OR_PASSWORD",
    ],
  ];

  test.each(refusals)("%s is a page to somebody who looks at it", async (_why, path, init, status, title) => {
    const headers = { ...(init.headers as Record<string, string>), ...html };
    const answer = await fetch(`${server.origin}/api/auth/${path}`, { ...init, headers });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([status, "text/html; charset=utf-8"]);
    expect(await answer.text()).toContain(`<h1>${title}</h1>`);
  });

  test.each(refusals)(
    "%s is JSON to a program and to a script",
    async (_why, path, init, status, _t, code) => {
      for (const sent of [{ accept: "application/json" }, { ...html, "sec-fetch-mode": "cors" }]) {
        const headers = { ...(init.headers as Record<string, string>), ...sent };
        const answer = await fetch(`${server.origin}/api/auth/${path}`, { ...init, headers });
        expect([answer.status, await answer.json()]).toMatchObject([status, { code }]);
      }
    },
  );

  test("is verify's own in any case: proxies hand the visitor's headers on", async () => {
    const answer = await fetch(`${server.origin}/api/auth/verify`, { headers: html });
    expect([answer.status, await answer.json()]).toMatchObject([401, { code: "NO_CREDENTIALS" }]);
    for (const path of ["/api/auth/verify?x=1&x=1", "/api/auth/forward?x=1&x=1", "/health?x=1&x=1"]) {
      const refused = await fetch(server.origin + path, { headers: html });
      expect([refused.status, await refused.json()]).toMatchObject([400, { code: "REPEATED_PARAMETER" }]);
    }
  });
});

test("10-C9: doctor shows what is made of the brand's colours", async () => {
  const { stdout } = await runLatchkey(["doctor"], {
    env: { ...database.env, LATCHKEY_BRAND_ACCENT: "#ffe600", LATCHKEY_BRAND_ACCENT_DARK: "#101040" },
  });
  expect(stdout).toMatch(
    /brand: in the light scheme buttons #ffe600 with black words, their edge #[0-9a-f]{6}, links #[0-9a-f]{6}; in the dark one buttons #101040 with white words, their edge #[0-9a-f]{6}, links #[0-9a-f]{6}/,
  );
});

test("10-C11: a forgotten password names whom to ask", async () => {
  const other = await openTestDatabase("sqlite");
  const own = await spawnLatchkey({ env: { ...other.env, LATCHKEY_CONTACT: "support@example.com" } });
  const page = await (await fetch(`${own.origin}/forgot-password`)).text();
  expect(page).toContain('Ask <a href="mailto:support@example.com">support@example.com</a> to set a new one');
  await own.stop();
  await other.close();
});
