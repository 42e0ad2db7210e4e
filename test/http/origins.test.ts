import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { dropCors, dropUngrantedCors, requireAllowedOrigin } from "../../src/http/origins.ts";

const allowed = new Set(["https://docs.example.com", "https://app.example.com", "http://localhost:3000"]);

/** Lines in which only `\uXXXX` is an escape. */
const corpus = (name: string) =>
  readFileSync(join(import.meta.dir, "../corpora", name), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) =>
      line.replace(/\\u([0-9a-f]{4})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    );

/** The code of a refusal, or "passes". */
function verdict(fields: Readonly<Record<string, string>>, method = "POST"): string {
  // As the runtime hands them over: bytes, and what a `Headers` refuses never arrives.
  const headers = new Headers();
  for (const [name, value] of Object.entries(fields))
    headers.set(name, Buffer.from(value, "utf8").toString("latin1"));
  try {
    requireAllowedOrigin(method, headers, allowed);
    return "passes";
  } catch (error) {
    const { status, code } = error as { status?: number; code?: string };
    expect(status).toBe(403);
    return String(code);
  }
}

describe("requireAllowedOrigin", () => {
  const attacks = corpus("origins.txt");
  test("has attacks to refuse", () => {
    expect(attacks.length).toBeGreaterThan(30);
  });

  test.each(attacks)("S31, S34: refuses Origin: %s", (origin) => {
    const refusal = origin === "null" ? "MISSING_OR_NULL_ORIGIN" : "INVALID_ORIGIN";
    expect([verdict({ origin }), verdict({ origin, cookie: "a=1" })]).toEqual([refusal, refusal]);
  });

  test.each(corpus("origins-ok.txt"))("S31, S34: lets Origin: %s pass", (origin) => {
    expect([verdict({ origin }), verdict({ origin, cookie: "a=1" })]).toEqual(["passes", "passes"]);
  });

  test.each(attacks)("S34: refuses a cookie without Origin and with Referer: %s/page", (origin) => {
    // A browser's Referer has a path, so an address that differs from a listed one only there is that origin.
    const referer = `${origin}/page`;
    const same = URL.canParse(referer) && allowed.has(new URL(referer).origin);
    expect(verdict({ referer, cookie: "a=1" })).toBe(same ? "passes" : "INVALID_ORIGIN");
  });

  test.each([
    ["curl: neither Origin nor cookie", {}, "passes"],
    ["a Referer alone", { referer: "https://evil.com/" }, "passes"],
    ["a cookie alone", { cookie: "a=1" }, "MISSING_OR_NULL_ORIGIN"],
    ["an empty cookie header", { cookie: "" }, "MISSING_OR_NULL_ORIGIN"],
    [
      "a cookie with a listed Referer",
      { cookie: "a=1", referer: "https://docs.example.com/page?x" },
      "passes",
    ],
    ["a cookie with a broken Referer", { cookie: "a=1", referer: "docs.example.com" }, "INVALID_ORIGIN"],
    ["a cookie with an opaque Referer", { cookie: "a=1", referer: "about:blank" }, "INVALID_ORIGIN"],
    ["an empty Origin", { origin: "" }, "INVALID_ORIGIN"],
    [
      "an unlisted Origin with a listed Referer",
      { origin: "https://evil.com", referer: "https://docs.example.com/" },
      "INVALID_ORIGIN",
    ],
    [
      "null with a listed Referer",
      { origin: "null", referer: "https://docs.example.com/" },
      "MISSING_OR_NULL_ORIGIN",
    ],
    [
      "a cross-site navigation, even from a listed origin",
      { origin: "https://docs.example.com", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
      "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED",
    ],
    [
      "a cross-site fetch from a listed origin",
      { origin: "https://docs.example.com", "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" },
      "passes",
    ],
    [
      "a same-site navigation from a listed origin",
      { origin: "https://docs.example.com", "sec-fetch-site": "same-site", "sec-fetch-mode": "navigate" },
      "passes",
    ],
  ] as const)("on %s: %s", (_what, fields, expected) => {
    expect(verdict(fields)).toBe(expected);
  });

  test.each(["GET", "HEAD", "OPTIONS"])("S34: lets every %s pass", (method) => {
    expect(verdict({ origin: "https://evil.com", cookie: "a=1" }, method)).toBe("passes");
  });

  test.each(["POST", "PUT", "PATCH", "DELETE", "get", "X"])("S34: asks of every %s", (method) => {
    expect(verdict({ origin: "https://evil.com" }, method)).toBe("INVALID_ORIGIN");
  });
});

describe("dropUngrantedCors", () => {
  const cors = {
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "X",
    "Access-Control-Expose-Headers": "X",
    "Access-Control-Max-Age": "600",
  };
  const names = (headers: Headers) => [...headers.keys()];
  test("S31, S33: leaves nothing of CORS without an allowed origin, and all of it with one", () => {
    const refused = new Headers({ ...cors, Vary: "Origin" });
    dropUngrantedCors(refused);
    expect(names(refused)).toEqual(["vary"]);
    const granted = new Headers({ ...cors, "Access-Control-Allow-Origin": "https://docs.example.com" });
    dropUngrantedCors(granted);
    expect(names(granted)).toHaveLength(6);
    dropCors(granted);
    expect(names(granted)).toEqual([]);
  });
});
