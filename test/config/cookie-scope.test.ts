import { describe, expect, test } from "bun:test";
import { isPublicSuffix } from "../../src/config/public-suffix.ts";
import { load, problemsOf } from "./load.ts";

const HTTPS = { BETTER_AUTH_URL: "https://auth.eu.example.com" };

describe("LATCHKEY_COOKIE_DOMAIN", () => {
  test.each([
    ["example.com", "example.com"],
    [".example.com", "example.com"],
    ["EU.Example.com", "eu.example.com"],
    ["auth.eu.example.com", "auth.eu.example.com"],
  ])("%s is %s", (text, cookieDomain) => {
    expect(load({ ...HTTPS, LATCHKEY_COOKIE_DOMAIN: text }).config.cookieDomain).toBe(cookieDomain);
  });

  test.each([
    ["https://auth.eu.example.com", "com", "single label"],
    ["https://auth.eu.example.com", "..example.com", "not a domain"],
    ["https://auth.eu.example.com", "example.com.", "not a domain"],
    ["https://auth.eu.example.com", "https://example.com", "not a domain"],
    ["https://auth.eu.example.com", "example.com:3001", "not a domain"],
    ["https://auth.eu.example.com", "*.example.com", "not a domain"],
    ["https://auth.eu.example.com", "docs.example.com", "does not contain"],
    ["https://auth.eu.example.com", "x.auth.eu.example.com", "does not contain"],
    ["https://auth.eu.example.com", "u.example.com", "does not contain"],
    ["https://auth.eu.example.com", "xample.com", "does not contain"],
    ["http://localhost:3001", "localhost", "single label"],
    ["https://127.0.0.1", "127.0.0.1", "IP address"],
    ["https://10.0.0.1", "0.0.1", "not a domain"],
    ["https://[::1]", "[::1]", "IP address"],
    ["https://me.github.io", "github.io", "strangers"],
    ["https://me.vercel.app", ".VERCEL.app", "strangers"],
    ["https://auth.co.uk", "co.uk", "strangers"],
    ["https://auth.com.au", "com.au", "strangers"],
    ["https://auth.me.uk", "me.uk", "strangers"],
    ["https://auth.police.uk", "police.uk", "strangers"],
    ["https://auth.asso.fr", "asso.fr", "strangers"],
    ["https://me.s3.amazonaws.com", "s3.amazonaws.com", "strangers"],
  ])("at %s refuses %s: %s", (url, domain, reason) => {
    expect(problemsOf({ BETTER_AUTH_URL: url, LATCHKEY_COOKIE_DOMAIN: domain })).toEqual([
      {
        variable: "LATCHKEY_COOKIE_DOMAIN",
        reason: expect.stringContaining(reason),
        remedy: expect.any(String),
      },
    ]);
  });

  test.each(["me.github.io", "example.co.uk", "com.example.org", "com.auction"])(
    "accepts %s, which one owner has",
    (domain) => {
      const env = { BETTER_AUTH_URL: `https://auth.${domain}`, LATCHKEY_COOKIE_DOMAIN: domain };
      expect(load(env).config.cookieDomain).toBe(domain);
    },
  );

  test.each([
    ["https://auth.eu.example.com", "write eu.example.com, or"],
    ["https://auth.example.com", "write example.com, or"],
    ["https://example.com", "write example.com, or"],
    ["https://auth", "the parent domain"],
    ["https://10.0.0.1", "the parent domain"],
    ["https://auth.co.uk", "the parent domain"],
  ])("at %s suggests: %s", (url, remedy) => {
    const [problem] = problemsOf({ BETTER_AUTH_URL: url, LATCHKEY_COOKIE_DOMAIN: "com" });
    expect(problem?.remedy).toContain(remedy);
  });

  test("suggests no public suffix", () => {
    const [problem] = problemsOf({
      BETTER_AUTH_URL: "https://me.github.io",
      LATCHKEY_COOKIE_DOMAIN: "github.io",
    });
    expect(problem?.remedy).not.toContain("write github.io");
  });
});

describe("LATCHKEY_COOKIE_SAMESITE", () => {
  test.each([
    [HTTPS, "none"],
    [{}, "none"],
    [HTTPS, "lax"],
    [HTTPS, "None"],
  ])("at %j takes %s", (env, text) => {
    const { config } = load({ ...env, LATCHKEY_COOKIE_SAMESITE: text });
    expect(config.cookieSameSite as string).toBe(text.toLowerCase());
  });
});

describe("isPublicSuffix", () => {
  test.each([
    ["github.io", true],
    ["s3.amazonaws.com", true],
    ["co.uk", true],
    ["com", true],
    ["internal", true],
    ["example.com", false],
    ["me.github.io", false],
    ["corp.internal", false],
  ])("of %s is %p", (domain, expected) => {
    expect(isPublicSuffix(domain)).toBe(expected);
  });
});
