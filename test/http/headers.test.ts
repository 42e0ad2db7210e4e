import { describe, expect, test } from "bun:test";
import {
  createRequestIds,
  dropCors,
  dropUngrantedCors,
  isRequestId,
  securityHeaders,
} from "../../src/http/headers.ts";
import { createHostMemory, isHost } from "../../src/http/host.ts";

describe("securityHeaders", () => {
  const common = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
  };
  test("promise https to those who came by it, and to nobody else", () => {
    expect(securityHeaders(false)).toEqual(common);
    expect(securityHeaders(true)).toEqual({
      ...common,
      "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    });
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
  test("leaves nothing of CORS without an allowed origin, and all of it with one", () => {
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

describe("isRequestId", () => {
  test.each([
    ["a", true],
    ["A-z_0.9", true],
    ["x".repeat(64), true],
    ["x".repeat(65), false],
    ["", false],
    ["a b", false],
    ["a\n", false],
    ["a\r\nSet-Cookie: x", false],
    ["é", false],
    ["a,b", false],
    ["<a>", false],
  ])("of %j is %p", (value, is) => {
    expect(isRequestId(value)).toBe(is);
  });
});

describe("createRequestIds", () => {
  test("makes ids that are valid and never the same, here and in another process", () => {
    const [here, there] = [createRequestIds(), createRequestIds()];
    const ids = Array.from({ length: 2_000 }, (_, at) => (at % 2 === 0 ? here() : there()));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !isRequestId(id))).toEqual([]);
  });
});

describe.each([
  ["isHost", () => isHost],
  ["createHostMemory", createHostMemory],
] as const)("%s", (_name, make) => {
  test.each([
    ["auth.example.com", true],
    ["localhost:3001", true],
    ["127.0.0.1:3001", true],
    ["[::1]:3001", true],
    ["[2001:db8::1.2.3.4]", true],
    ["a_b.example", true],
    [null, false],
    ["", false],
    ["a, b", false],
    ["a,b", false],
    ["user@a", false],
    ["a/b", false],
    ["a b", false],
    ["a:", false],
    ["a:123456", false],
    ["a:x", false],
    ["[::1", false],
    ["é.example", false],
    ["a\r\nb", false],
    ["a?b", false],
    ["a#b", false],
    ["%61", false],
  ])("of %j is %p, also after another one", (host, is) => {
    const check = make();
    expect([check(host), check("localhost"), check(host), check(host)]).toEqual([is, true, is, is]);
  });
});
