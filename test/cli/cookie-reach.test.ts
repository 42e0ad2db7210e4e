import { describe, expect, test } from "bun:test";
import { type CookieReach, cookieReach, sharedDomain } from "../../src/doctor/cookie-reach.ts";

type Row = readonly [
  base: string,
  origin: string,
  cookieDomain: string | null,
  relation: CookieReach["relation"],
  division: CookieReach["division"],
  reachesHost: boolean,
];

const auth = "https://auth.example.com";
const local = "http://localhost:3001";

const rows: readonly Row[] = [
  [auth, "https://auth.example.com", null, "same origin", null, true],
  [auth, "https://auth.example.com:8443", null, "same site", null, true],
  [auth, "https://docs.example.com", null, "same site", null, false],
  [auth, "https://docs.example.com", "example.com", "same site", null, true],
  [auth, "https://example.com", null, "same site", null, false],
  [auth, "https://example.com", "example.com", "same site", null, true],
  [auth, "https://a.b.example.com", "example.com", "same site", null, true],
  [auth, "https://api.example.com", "auth.example.com", "same site", null, false],
  [auth, "https://api.auth.example.com", "auth.example.com", "same site", null, true],
  // Ends with the domain's text, not below it.
  [auth, "https://notexample.com", "example.com", "cross-site", "site", false],
  [auth, "https://docs.example.org", "example.com", "cross-site", "site", false],
  [auth, "http://docs.example.com", "example.com", "cross-site", "scheme", false],
  [auth, "http://auth.example.com", null, "cross-site", "scheme", false],
  [auth, "http://localhost:3000", null, "cross-site", "site", false],
  ["https://auth.example.co.uk", "https://docs.example.co.uk", null, "same site", null, false],
  ["https://auth.co.uk", "https://docs.co.uk", null, "cross-site", "site", false],
  // Private suffixes: strangers' neighbours.
  ["https://me.github.io", "https://you.github.io", null, "cross-site", "site", false],
  ["https://a.me.github.io", "https://b.me.github.io", "me.github.io", "same site", null, true],
  ["https://auth.fly.dev", "https://docs.vercel.app", null, "cross-site", "site", false],
  ["https://auth.xn--fiqs8s", "https://docs.auth.xn--fiqs8s", "auth.xn--fiqs8s", "same site", null, true],
  [local, "http://localhost:3001", null, "same origin", null, true],
  [local, "http://localhost:3000", null, "same site", null, true],
  [local, "http://127.0.0.1:3000", null, "cross-site", "loopback names", false],
  [local, "http://[::1]:3000", null, "cross-site", "loopback names", false],
  [local, "http://app.localhost:3000", null, "cross-site", "loopback names", false],
  [local, "https://localhost:3000", null, "cross-site", "scheme", true],
  [local, "https://docs.example.com", null, "cross-site", "site", false],
  ["http://127.0.0.1:3001", "http://127.0.0.1:8000", null, "same site", null, true],
  ["http://127.0.0.1:3001", "http://127.0.0.2:8000", null, "cross-site", "loopback names", false],
  ["https://10.0.0.5", "https://10.0.0.5:8443", null, "same site", null, true],
  ["https://10.0.0.5", "https://10.0.0.6", null, "cross-site", "site", false],
  ["https://auth.corp.internal", "https://docs.corp.internal", "corp.internal", "same site", null, true],
  ["https://auth", "https://docs", null, "cross-site", "site", false],
];

describe("cookieReach", () => {
  test.each(rows)(
    "%s seen from %s with domain %p",
    (base, origin, cookieDomain, relation, division, reachesHost) => {
      const isAbroad = relation === "cross-site";
      const reach = (sameSite: "lax" | "none") => cookieReach(base, origin, { cookieDomain, sameSite });
      expect(reach("lax")).toEqual({
        relation,
        division,
        onFetch: isAbroad ? "withheld" : "sent",
        reachesHost,
      });
      expect(reach("none")).toEqual({
        relation,
        division,
        onFetch: isAbroad ? "blocked by some" : "sent",
        reachesHost,
      });
    },
  );
});

describe("sharedDomain", () => {
  test.each([
    ["auth.example.com", "docs.example.com", "example.com"],
    ["auth.dev.example.com", "api.dev.example.com", "dev.example.com"],
    ["auth.example.com", "example.com", "example.com"],
    ["auth.example.com", "docs.example.org", null],
    ["auth.example.com", "auth.example.org", null],
    ["a.co.uk", "b.co.uk", null],
    ["a.github.io", "b.github.io", null],
    ["127.0.0.1", "128.0.0.1", null],
    ["localhost", "app.localhost", null],
  ])("of %s and %s is %p", (a, b, expected) => {
    expect(sharedDomain(a, b)).toBe(expected);
  });
});
