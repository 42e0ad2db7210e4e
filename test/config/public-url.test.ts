import { describe, expect, test } from "bun:test";
import { load, problemsOf } from "./load.ts";

const HTTPS = { BETTER_AUTH_URL: "https://auth.example.com" };

describe("BETTER_AUTH_URL", () => {
  test.each([
    ["http://localhost:3001", "http://localhost:3001"],
    ["http://auth.localhost:3001/", "http://auth.localhost:3001"],
    ["http://127.0.0.1:3001", "http://127.0.0.1:3001"],
    ["http://[::1]:3001", "http://[::1]:3001"],
    ["https://auth.example.com/", "https://auth.example.com"],
  ])("%s is %s", (url, baseUrl) => {
    expect(load({ BETTER_AUTH_URL: url }).config.baseUrl).toBe(baseUrl);
  });

  test.each([
    ["http://auth.example.com", "https://auth.example.com"],
    ["http://192.168.1.10:3001", "https://192.168.1.10:3001"],
    ["http://0.0.0.0:3001", "http://localhost:3001"],
    ["https://auth.example.com/api/auth", "https://auth.example.com"],
    ["https://auth.example.com?x=1", "https://auth.example.com"],
    ["auth.example.com", "https://auth.example.com"],
    ["https://AUTH.example.com", "https://auth.example.com"],
    ["https://user@auth.example.com", "https://docs.example.com"],
    ["ws://auth.example.com", "https://docs.example.com"],
  ])("S56: refuses %s and suggests %s", (url, suggestion) => {
    expect(problemsOf({ BETTER_AUTH_URL: url })).toEqual([
      {
        variable: "BETTER_AUTH_URL",
        reason: expect.any(String),
        remedy: expect.stringContaining(suggestion),
      },
    ]);
  });

  test("suggests the port that is listened on", () => {
    const remedyFor = (port: string) =>
      problemsOf({ BETTER_AUTH_URL: "http://0.0.0.0", PORT: port })[0]?.remedy;
    expect(remedyFor("4000")).toContain("http://localhost:4000,");
    expect(remedyFor("0")).toContain("http://localhost:3001,");
  });

  test("hides no other problem", () => {
    const env = {
      BETTER_AUTH_URL: "nonsense",
      BETTER_AUTH_TRUSTED_ORIGINS: "*",
      LATCHKEY_COOKIE_DOMAIN: "com",
    };
    expect(problemsOf(env).map(({ variable }) => variable)).toEqual(Object.keys(env));
  });
});

describe("trusted origins", () => {
  const HTTPS_ORIGINS = {
    ...HTTPS,
    BETTER_AUTH_TRUSTED_ORIGINS: "https://docs.example.com,https://api.example.com",
  };

  test("are the server's own alone on a public URL", () => {
    const { trustedOrigins, defaultRedirectUrl } = load(HTTPS).config;
    expect({ trustedOrigins, defaultRedirectUrl }).toEqual({
      trustedOrigins: ["https://auth.example.com"],
      defaultRedirectUrl: "https://auth.example.com",
    });
  });

  test("include another port's own origin besides the defaults", () => {
    expect(load({ PORT: "4000" }).config.trustedOrigins).toEqual([
      "http://localhost:3000",
      "http://localhost:3001",
      "http://localhost:8000",
      "http://localhost:5173",
      "http://localhost:4321",
      "http://localhost:8080",
      "http://localhost:4000",
    ]);
  });

  test("replace the defaults, once each", () => {
    const list = "http://localhost:5173/, http://localhost:5173 ,,http://localhost:3001,";
    expect(load({ BETTER_AUTH_TRUSTED_ORIGINS: list }).config.trustedOrigins).toEqual([
      "http://localhost:5173",
      "http://localhost:3001",
    ]);
  });

  test("come from CORS_ALLOWED_ORIGINS too", () => {
    const { config } = load({ ...HTTPS, CORS_ALLOWED_ORIGINS: "https://docs.example.com" });
    expect(config.trustedOrigins).toEqual(["https://docs.example.com", "https://auth.example.com"]);
    expect(problemsOf({ ...HTTPS, CORS_ALLOWED_ORIGINS: "*" }).map(({ variable }) => variable)).toEqual([
      "CORS_ALLOWED_ORIGINS",
    ]);
  });

  test("may be given under both names when they agree", () => {
    const same = {
      ...HTTPS_ORIGINS,
      CORS_ALLOWED_ORIGINS: "https://api.example.com/,https://docs.example.com",
    };
    expect(load(same).config.trustedOrigins[0]).toBe("https://docs.example.com");
  });

  test.each([
    "https://docs.example.com",
    "https://docs.example.com,https://api.example.com,https://x.example.com",
  ])("differ from CORS_ALLOWED_ORIGINS=%s", (alias) => {
    const problems = problemsOf({ ...HTTPS_ORIGINS, CORS_ALLOWED_ORIGINS: alias });
    expect(problems.map(({ variable }) => variable)).toEqual(["CORS_ALLOWED_ORIGINS"]);
  });

  test.each([",", '["https://docs.example.com"]'])("refuse %s with one problem", (list) => {
    expect(problemsOf({ ...HTTPS, BETTER_AUTH_TRUSTED_ORIGINS: list })).toHaveLength(1);
  });

  test("warn of plain http and of loopback on a public URL", () => {
    const { warnings } = load({
      ...HTTPS,
      BETTER_AUTH_TRUSTED_ORIGINS: "http://docs.example.com,http://localhost:3000",
    });
    expect(warnings).toEqual([
      expect.stringContaining("plain http"),
      expect.stringContaining("localhost:3000"),
    ]);
  });
});

describe("LATCHKEY_DEFAULT_REDIRECT_URL", () => {
  test.each([
    ["http://localhost:3000/welcome?x=1", "http://localhost:3000/welcome?x=1"],
    ["http://localhost:8000", "http://localhost:8000/"],
    ["http://LOCALHOST:3001/a b", "http://localhost:3001/a%20b"],
  ])("%s is %s", (url, href) => {
    expect(load({ LATCHKEY_DEFAULT_REDIRECT_URL: url }).config.defaultRedirectUrl).toBe(href);
  });

  test.each([
    "http://localhost:9999/",
    "https://localhost:3000/",
    "http://localhost:3000@evil.com/",
    "http://me@localhost:3000/",
    "xhttp://localhost:3000/",
    "http:localhost:3000/",
    "http:/\\localhost:3000/",
    "//localhost:3000/",
    "/welcome",
    "javascript:alert(1)",
  ])("refuses %s", (url) => {
    expect(problemsOf({ LATCHKEY_DEFAULT_REDIRECT_URL: url }).map(({ variable }) => variable)).toEqual([
      "LATCHKEY_DEFAULT_REDIRECT_URL",
    ]);
  });

  test("says which origins there are", () => {
    expect(problemsOf({ LATCHKEY_DEFAULT_REDIRECT_URL: "/welcome" })[0]?.remedy).toContain(
      "http://localhost:3000/",
    );
    expect(
      problemsOf({ ...HTTPS, LATCHKEY_DEFAULT_REDIRECT_URL: "https://docs.example.com/x" }),
    ).toMatchObject([
      { remedy: expect.stringContaining("add https://docs.example.com to BETTER_AUTH_TRUSTED_ORIGINS") },
    ]);
  });

  test("is not blamed for a list that is refused itself", () => {
    const env = {
      BETTER_AUTH_TRUSTED_ORIGINS: "*",
      LATCHKEY_DEFAULT_REDIRECT_URL: "https://docs.example.com/",
    };
    expect(problemsOf(env).map(({ variable }) => variable)).toEqual(["BETTER_AUTH_TRUSTED_ORIGINS"]);
    const both = { ...env, LATCHKEY_DEFAULT_REDIRECT_URL: "/welcome" };
    expect(problemsOf(both).map(({ variable }) => variable)).toEqual(Object.keys(both));
  });
});
