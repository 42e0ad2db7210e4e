import { describe, expect, test } from "bun:test";
import { securityHeaders } from "../../src/http/headers.ts";

describe("securityHeaders", () => {
  const common = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
  };
  test("S44: promise https to those who came by it, and to nobody else", () => {
    expect(securityHeaders(false)).toEqual(common);
    expect(securityHeaders(true)).toEqual({
      ...common,
      "Strict-Transport-Security": "max-age=31536000",
    });
  });
});
