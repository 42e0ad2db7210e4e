import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { checkCallback, cookieReaches, resolveCallback } from "../../src/http/callback-url.ts";

const rules = {
  defaultRedirectUrl: "https://docs.example.com",
  allowedOrigins: new Set([
    "https://docs.example.com",
    "https://app.example.com",
    "http://localhost:3000",
    "https://auth.example.com",
  ]),
  ownOrigin: "https://auth.example.com",
  isGuess: false,
};
const fallback = "https://docs.example.com/";

/** Lines in which only `\uXXXX` is an escape. */
function corpus(name: string): string[] {
  return readFileSync(join(import.meta.dir, "../corpora", name), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) =>
      line.replace(/\\u([0-9a-f]{4})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    );
}

const spellings = (line: string) => [line, encodeURIComponent(line.toWellFormed())];

describe("resolveCallback", () => {
  test.each(corpus("callback-urls.txt").flatMap(spellings))("S36: %j leads to a listed origin", (value) => {
    const location = resolveCallback(value, rules);
    const url = new URL(location);
    expect(rules.allowedOrigins).toContain(url.origin);
    expect([url.href, url.username, url.password]).toEqual([location, "", ""]);
    expect(location).not.toMatch(/[^\x21-\x7e]/);
  });

  test.each(corpus("callback-urls-ok.txt"))("arrives exactly at %j", (value) => {
    expect(resolveCallback(value, rules)).toBe(new URL(value, "https://docs.example.com").href);
  });

  test("never leaves the list, whatever the string", () => {
    const piece = fc.constantFrom(
      ..."/\\:@#?%.;,&=[]\t\n\r \0",
      ..."//,https:,http:,javascript:,blob:,docs.example.com,evil.com,@,%2f,%5c,%0d%0a,。,..,localhost:3000".split(
        ",",
      ),
    );
    const built = fc.array(fc.oneof(piece, fc.string({ unit: "grapheme", maxLength: 3 })), { maxLength: 9 });
    fc.assert(
      fc.property(built, (pieces) => {
        const url = new URL(resolveCallback(pieces.join(""), rules));
        expect(rules.allowedOrigins).toContain(url.origin);
        expect(url.username + url.password).toBe("");
      }),
      { numRuns: 20_000 },
    );
  });

  test.each([
    ["/account", "https://auth.example.com/account"],
    ["/account/?x=1#y", "https://auth.example.com/account/?x=1#y"],
    ["https://auth.example.com/account", "https://auth.example.com/account"],
    ["https://docs.example.com/signin", "https://docs.example.com/signin"],
    ["//app.example.com/account", "https://app.example.com/account"],
    ["/accounts", "https://docs.example.com/accounts"],
    ["/signin/../docs", "https://docs.example.com/docs"],
  ])("leads from %s to %s", (value, location) => {
    expect(resolveCallback(value, rules)).toBe(location);
  });

  test.each([
    undefined,
    null,
    "",
    "/signin",
    "/signin/",
    "/signin?callbackUrl=/signin",
    "/signup",
    "/signout",
    "/docs/../signin",
    "https://auth.example.com/signin",
    "blob:https://docs.example.com/0b7d0a5e",
    "https://docs.example.com\t/x",
    "/docs\r\nSet-Cookie:a=b",
  ])("leads from %j to the default", (value) => {
    expect(resolveCallback(value, rules)).toBe(fallback);
    expect(checkCallback(value, rules)).toBeNull();
  });
});

test.each(["https://auth.example.com/signin", "https://auth.example.com/signup/?x=1"])(
  "a default redirect to our own %s leads to the account instead of round in circles",
  (defaultRedirectUrl) => {
    expect(resolveCallback(null, { ...rules, defaultRedirectUrl })).toBe("https://auth.example.com/account");
  },
);

test("an address too long for a proxy's header buffers leads to the default", () => {
  expect(resolveCallback(`/${"x".repeat(3_000)}`, rules)).toHaveLength(3_025);
  expect(resolveCallback(`/${"x".repeat(5_000)}`, rules)).toBe(fallback);
});

describe("cookieReaches", () => {
  const hostOnly = { baseUrl: "https://auth.example.com", cookieDomain: null };
  const shared = { baseUrl: "https://auth.example.com", cookieDomain: "example.com" };
  const local = { baseUrl: "http://localhost:3001", cookieDomain: null };
  test.each([
    ["https://auth.example.com/account", hostOnly, true],
    ["https://auth.example.com:8443/", hostOnly, true],
    ["https://docs.example.com/", hostOnly, false],
    ["https://x.auth.example.com/", hostOnly, false],
    ["https://docs.example.com/", shared, true],
    ["https://example.com/", shared, true],
    ["https://badexample.com/", shared, false],
    ["http://docs.example.com/", shared, false],
    ["http://localhost:3000/", local, true],
    ["http://127.0.0.1:3000/", local, false],
  ])("%s from %j: %s", (url, cookie, reaches) => {
    expect(cookieReaches(url, cookie)).toBe(reaches);
  });
});
