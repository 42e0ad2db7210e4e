import { describe, expect, test } from "bun:test";
import { load, problemsOf } from "./load.ts";

const HTTPS = {
  BETTER_AUTH_URL: "https://auth.example.com",
  BETTER_AUTH_TRUSTED_ORIGINS: "https://docs.example.com",
};

describe("the contact", () => {
  test.each([
    ["support@example.com", "support@example.com"],
    ["https://example.com/help?x=1", "https://example.com/help?x=1"],
    ["HTTPS://Example.com", "https://example.com/"],
  ])("%s is %s", (text, contact) => {
    expect(load({ LATCHKEY_CONTACT: text }).config.contact).toBe(contact);
  });

  test.each([
    "somebody",
    "http://example.com",
    "javascript:alert(1)",
    "mailto:a@example.com",
    "https://user:pw@example.com",
    "a@b@example.com",
    "a@example.com?subject=x",
  ])("%s is refused", (text) => {
    expect(problemsOf({ LATCHKEY_CONTACT: text })).toMatchObject([{ variable: "LATCHKEY_CONTACT" }]);
  });
});

describe("the brand", () => {
  test("has the same accent in the dark, unless another is set", () => {
    const { config } = load({ LATCHKEY_BRAND_ACCENT: "#ffe600" });
    expect([config.brandAccent, config.brandAccentDark]).toEqual(["#ffe600", "#ffe600"]);
    const both = load({ LATCHKEY_BRAND_ACCENT: "#ffe600", LATCHKEY_BRAND_ACCENT_DARK: "#00aaff" }).config;
    expect([both.brandAccent, both.brandAccentDark]).toEqual(["#ffe600", "#00aaff"]);
  });

  test("is latchkey's own unless configured", () => {
    const { brandName, brandLogoUrl, brandAccent } = load({}).config;
    expect({ brandName, brandLogoUrl, brandAccent }).toEqual({
      brandName: "latchkey",
      brandLogoUrl: null,
      brandAccent: expect.stringMatching(/^#[0-9a-f]{6}$/),
    });
  });

  test.each([
    ["/logo.svg", "/logo.svg"],
    ["/a b.svg?v=2", "/a%20b.svg?v=2"],
    ["https://docs.example.com/img/logo.svg", "https://docs.example.com/img/logo.svg"],
    ["https://auth.example.com/logo.png", "https://auth.example.com/logo.png"],
  ])("has the logo %s", (text, brandLogoUrl) => {
    expect(load({ ...HTTPS, LATCHKEY_BRAND_LOGO_URL: text }).config.brandLogoUrl).toBe(brandLogoUrl);
  });

  test.each([
    ["https://cdn.example.net/logo.svg", "no trusted origin"],
    ["//docs.example.com/logo.svg", "neither"],
    ["/\\docs.example.com/logo.svg", "neither"],
    ["data:image/svg+xml,<svg/>", "neither"],
    ["javascript:alert(1)", "neither"],
    ["logo.svg", "neither"],
    ["http://docs.example.com/logo.svg", "plain http"],
    ["https://user:pw@docs.example.com/logo.svg", "user name"],
  ])("refuses the logo %s: %s", (text, reason) => {
    expect(problemsOf({ ...HTTPS, LATCHKEY_BRAND_LOGO_URL: text })).toEqual([
      {
        variable: "LATCHKEY_BRAND_LOGO_URL",
        reason: expect.stringContaining(reason),
        remedy: expect.any(String),
      },
    ]);
  });

  test.each([
    ["3355cc", "#3355cc"],
    ["#35C", "#3355cc"],
    ["red", "#3355cc"],
    ["#12345g", "#3355cc"],
    ["#123456;color:red", "#3355cc"],
  ])("refuses the accent %s and suggests %s", (text, suggested) => {
    expect(problemsOf({ LATCHKEY_BRAND_ACCENT: text })).toEqual([
      {
        variable: "LATCHKEY_BRAND_ACCENT",
        reason: expect.stringContaining("#rrggbb"),
        remedy: `write ${suggested}`,
      },
    ]);
  });

  test("takes an accent in any case and a name of up to 40 characters", () => {
    const { config } = load({ LATCHKEY_BRAND_ACCENT: "#AbCdEf", LATCHKEY_BRAND_NAME: "🔑".repeat(40) });
    expect([config.brandAccent, config.brandName]).toEqual(["#abcdef", "🔑".repeat(40)]);
    expect(problemsOf({ LATCHKEY_BRAND_NAME: "x".repeat(41) })).toHaveLength(1);
  });
});
