import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { isLoopbackOrigin, parseOrigin } from "../../src/config/origin.ts";
import { load, problemsOf } from "./load.ts";

/** One string a line, with `\uXXXX` escapes. */
function readCorpus(name: string): readonly string[] {
  const text = readFileSync(new URL(`../corpora/${name}`, import.meta.url), "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) =>
      line.replace(/\\u([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    );
}

const LISTED = readCorpus("origins-ok.txt");
const HOSTILE = readCorpus("origins.txt");
const HTTPS = { BETTER_AUTH_URL: "https://auth.example.com" };

/** Other sites, exactly written: refused as strangers by an exact list, yet fit to be listed by who owns them. */
const WELL_FORMED = [
  "http://evil.com",
  "https://docs.example.comevil.com",
  "https://evil-docs.example.com",
  "https://docs-example.com",
  "https://x.docs.example.com",
  "https://docs.example.com:8443",
  "https://docs.example.com_.evil.com",
  "http://docs.example.com",
  "https://localhost:3000",
  "http://localhost:30000",
  "http://127.0.0.1:3000",
  "http://0.0.0.0:3000",
];

describe("S31: hostile origins", () => {
  const env = { ...HTTPS, BETTER_AUTH_TRUSTED_ORIGINS: LISTED.join(",") };
  const { trustedOrigins } = load(env).config;

  test("the listed ones and the server's own are trusted, nothing else", () => {
    expect(trustedOrigins).toEqual([...LISTED, HTTPS.BETTER_AUTH_URL]);
  });

  test("there are some", () => {
    expect(HOSTILE.length).toBeGreaterThan(35);
  });

  test.each(HOSTILE.map((origin) => [origin]))("%s is not in the list", (origin) => {
    expect(trustedOrigins).not.toContain(origin);
  });

  // As settings these two are fine: a trailing slash is stripped, and commas separate.
  const fine = [...WELL_FORMED, "https://docs.example.com/", "https://docs.example.com, https://evil.com"];

  test.each(HOSTILE.filter((origin) => !fine.includes(origin)).map((origin) => [origin]))(
    "%s stops the start-up when it is listed",
    (origin) => {
      const problems = problemsOf({
        ...env,
        BETTER_AUTH_TRUSTED_ORIGINS: `https://docs.example.com,${origin}`,
      });
      expect(problems.map(({ variable }) => variable)).toContain("BETTER_AUTH_TRUSTED_ORIGINS");
    },
  );
});

describe("parseOrigin", () => {
  test.each([
    ["https://docs.example.com", "https://docs.example.com"],
    ["https://docs.example.com/", "https://docs.example.com"],
    ["https://docs.example.com///", "https://docs.example.com"],
    ["http://localhost:3000/", "http://localhost:3000"],
    ["http://[::1]:3000", "http://[::1]:3000"],
    ["http://192.168.1.10:8080", "http://192.168.1.10:8080"],
    ["https://xn--mnchen-3ya.de", "https://xn--mnchen-3ya.de"],
  ])("%s is %s", (text, origin) => {
    expect(parseOrigin(text)).toEqual({ ok: true, value: origin });
  });

  test.each([
    ["https://DOCS.example.com", "https://docs.example.com"],
    ["HTTPS://docs.example.com", "https://docs.example.com"],
    ["https://docs.example.com:443", "https://docs.example.com"],
    ["http://localhost:80", "http://localhost"],
    ["https://docs.example.com:", "https://docs.example.com"],
    ["https://docs.example.com:08443", "https://docs.example.com:8443"],
    ["https://münchen.de", "https://xn--mnchen-3ya.de"],
    ["https://docs.example.com.", "https://docs.example.com"],
    ["https://docs.example.com.:8443", "https://docs.example.com:8443"],
    ["http://127.1:3000", "http://127.0.0.1:3000"],
    ["http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"],
    ["https://docs.example.com/guide", "https://docs.example.com"],
    ["https://docs.example.com?x", "https://docs.example.com"],
    ["localhost:0", "https://docs.example.com"],
    ["docs", "https://docs.example.com"],
    ["docs.example.com//x", "https://docs.example.com"],
    ["docs.example.com", "https://docs.example.com"],
    ["//docs.example.com", "https://docs.example.com"],
    ["localhost:3000", "http://localhost:3000"],
    ["127.0.0.1:8000", "http://127.0.0.1:8000"],
  ])("S57: refuses %s and says to write %s", (text, remedy) => {
    expect(parseOrigin(text)).toEqual({ ok: false, reason: expect.any(String), remedy: `write ${remedy}` });
  });

  test.each([
    ["*", "wildcard"],
    ["https://*", "wildcard"],
    ["https://*.example.com", "wildcard"],
    ["http://localhost:*", "wildcard"],
    ["null", "sandboxed"],
    ["NULL", "sandboxed"],
    ["httpsx://docs.example.com", "neither http nor https"],
    ["xhttps://docs.example.com", "neither http nor https"],
    ["ftp://docs.example.com", "neither http nor https"],
    ["chrome-extension://abc", "neither http nor https"],
    ["file://", "neither http nor https"],
    ["data:text/html", "no http:// or https://"],
    ["https://", "no host"],
    ["https:///", "no host"],
    ["https://a..b", "no valid host name"],
    ["https://docs.example.com{.evil.com", "no valid host name"],
    ["https://docs.example.com%60.evil.com", "not a valid URL"],
    ["https://docs.example.com evil.com", "not a valid URL"],
    ["https://docs.example.com\\.evil.com", "path"],
    ["http://localhost:99999", "not a valid URL"],
    ["http://localhost:0", "port 0"],
    ["https://user@docs.example.com", "user name or password"],
  ])("S57: refuses %s: %s", (text, reason) => {
    expect(parseOrigin(text)).toEqual({
      ok: false,
      reason: expect.stringContaining(reason),
      remedy: expect.any(String),
    });
  });
});

describe("isLoopbackOrigin", () => {
  test.each(["http://localhost:3001", "http://auth.localhost", "http://127.0.0.53", "http://[::1]:1"])(
    "%s is",
    (origin) => {
      expect(isLoopbackOrigin(origin)).toBe(true);
    },
  );

  test.each([
    "http://0.0.0.0",
    "http://[::]",
    "http://localhost.example.com",
    "http://notlocalhost",
    "http://128.0.0.1",
    "http://127.0.0.1.nip.io",
  ])("%s is not", (origin) => {
    expect(isLoopbackOrigin(origin)).toBe(false);
  });
});
