import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { origin, visit } from "./requests.ts";
import { scriptedNow } from "./scripted-pages.ts";

const production = {
  BETTER_AUTH_URL: "https://auth.example.com",
  BETTER_AUTH_TRUSTED_ORIGINS: "https://docs.example.com,https://other.example.net",
};
const shared = { ...production, LATCHKEY_COOKIE_DOMAIN: "example.com" };

describe("somebody signed in who opens the sign-in", () => {
  const cookie = "__Secure-better-auth.session_token=ann";
  const open = (env: Record<string, string>, path: string) =>
    visit({ env }, { signedIn: true }).get(path, env["BETTER_AUTH_URL"] === undefined ? {} : { cookie });

  test.each([
    [{}, "/signin?callbackUrl=/guide", "http://localhost:3000/guide"],
    [{}, "/signup", "http://localhost:3001/account"],
    [
      { LATCHKEY_DEFAULT_REDIRECT_URL: "http://localhost:3000/docs" },
      "/signup",
      "http://localhost:3000/docs",
    ],
    [{}, "/signin?callbackUrl=/account", `${origin}/account`],
    [shared, "/signin?callbackUrl=/guide", "https://docs.example.com/guide"],
    [production, "/signin?callbackUrl=/account", "https://auth.example.com/account"],
  ])("%j %s is sent on at once to %s", async (env, path, location) => {
    const { status, headers } = await open(env, path);
    expect([status, headers.get("location")]).toEqual([303, location]);
  });

  test.each([
    [production, "/signin?callbackUrl=/guide", "https://docs.example.com/guide"],
    [shared, "/signin?callbackUrl=https://other.example.net/x", "https://other.example.net/x"],
    [production, "/signup?callbackUrl=//evil.com", "https://docs.example.com/"],
  ])("%j %s is asked: the cookie never gets to %s", async (env, path, target) => {
    const { status, headers, html } = await open(env, path);
    expect([status, headers.get("location")]).toEqual([200, null]);
    expect(html).toContain("Ann Example");
    expect(html).toContain(`href="${target}">Continue to ${new URL(target).host}`);
    expect(html).toContain('<form method="post" action="/signout">');
    expect(html).toContain('name="next" value="signin"');
    expect(html).not.toContain("evil");
  });
});

describe("/", () => {
  test.each([
    [true, "/", "/account"],
    [false, "/", "/signin"],
    [false, "/?callbackUrl=/guide", "/signin?callbackUrl=http%3A%2F%2Flocalhost%3A3000%2Fguide"],
  ])("signed in: %p, %s leads to %s", async (signedIn, path, location) => {
    const { status, headers } = await visit({}, { signedIn }).get(path);
    expect([status, headers.get("location")]).toEqual([303, origin + location]);
  });
});

describe("/account", () => {
  test("leads a stranger to the sign-in, and back", async () => {
    const { status, headers } = await visit().get("/account");
    const location = `${origin}/signin?callbackUrl=${encodeURIComponent(`${origin}/account`)}`;
    expect([status, headers.get("location")]).toEqual([303, location]);
    const form = await visit().get(new URL(location).pathname + new URL(location).search);
    expect(form.html).toContain(`name="callbackUrl" value="${origin}/account"`);
    expect(form.html).not.toContain("to continue to");
  });
});

describe("/signout", () => {
  test("asks first", async () => {
    const { status, html, headers } = await visit({}, { signedIn: true }).get("/signout?callbackUrl=/bye");
    expect([status, headers.getSetCookie()]).toEqual([200, []]);
    expect(html).toContain('name="callbackUrl" value="http://localhost:3000/bye"');
  });

  test("has nothing to ask a stranger", async () => {
    const { status, headers } = await visit().get("/signout?callbackUrl=/bye");
    expect([status, headers.get("location")]).toEqual([303, "http://localhost:3000/bye"]);
  });
});

describe("with sign-up closed", () => {
  const env = { LATCHKEY_SIGN_UP: "closed" };
  test("the sign-up says so and the sign-in does not mention it", async () => {
    const closed = await visit({ env }).get("/signup?callbackUrl=/guide");
    expect(closed.status).toBe(403);
    expect(closed.html).toContain("Sign-up is closed");
    expect(closed.html).not.toContain("<form");
    expect((await visit({ env }).get("/signin")).html).not.toContain("/signup");
  });
});

describe("the account page", () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });
  const turns = async () => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
  };

  test("that shows why a form was refused has 5 s for all of it, not for each part", async () => {
    let now = scriptedNow;
    const pass = async (ms: number) => {
      now += ms;
      jest.advanceTimersByTime(ms);
      await turns();
    };
    const refused = Promise.withResolvers<Response>();
    const script = {
      now: () => now,
      answer: () => refused.promise,
      list: () => new Promise<Response>(() => {}),
    };
    let status = 0;
    const answered = (async () => {
      ({ status } = await visit(script, { signedIn: true }).post("/account/profile", { name: "Ann" }));
    })();
    await turns();
    await pass(4_000);
    refused.resolve(Response.json({ code: "VALIDATION_ERROR", message: "" }, { status: 400 }));
    await turns();
    await pass(999);
    expect(status).toBe(0);
    await pass(1);
    await answered;
    expect(status).toBe(503);
  });
});
