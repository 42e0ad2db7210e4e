import * as fc from "fast-check";
import { routes } from "../../src/routes.ts";
import { corpora } from "./corpus.ts";

/** A request that somebody might send. */
export interface Fuzzed {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
}

/** What may stand anywhere: things that parsers, databases and templates stumble over. */
export const nasty = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      "",
      " ",
      "null",
      "undefined",
      "true",
      "0",
      "-1",
      "NaN",
      "1e309",
      "[]",
      "{}",
      "__proto__",
      "constructor",
      "'; DROP TABLE session; --",
      "${7*7}",
      "<script>alert(1)</script>",
      "../../etc/passwd",
      "%00",
      "%ff",
      "%",
      "a".repeat(5_000),
      "\u0000",
      "\ud800",
      "é\u0301",
      "\u202e",
      "😀".repeat(100),
      "//evil.example",
      "javascript:alert(1)",
      "http://localhost:3000/",
      "https://evil.example/",
      "/\\evil.example",
      "ﷺ".repeat(30),
    ),
  },
  { weight: 2, arbitrary: fc.constantFrom(...corpora()) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  { weight: 1, arbitrary: fc.string({ maxLength: 200 }) },
);
const value = fc.oneof(nasty, fc.jsonValue({ maxDepth: 2 }), fc.double(), fc.constantFrom(true, false, null));
const fields = [
  "email",
  "password",
  "name",
  "image",
  "token",
  "rememberMe",
  "callbackURL",
  "callbackUrl",
  "currentPassword",
  "newPassword",
  "revokeOtherSessions",
  "id",
  "disableRedirect",
  "state",
  "x",
];
const record = fc.dictionary(fc.oneof(fc.constantFrom(...fields), nasty), value, { maxKeys: 6 });
const paths = Object.values(routes).map(({ path }) => path);

const path = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...paths) },
  { weight: 1, arbitrary: fc.constantFrom(...paths).map((known) => `${known}/`) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...paths), nasty)
      .map(([known, more]) => `${known}/${encodeURIComponent(more.toWellFormed())}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "/api/auth/verify-password",
      "/api/auth/error",
      "/api/auth/ok",
      "//",
      "/%2e%2e/",
      "/api/auth/sign-in/social",
      "/assets/x",
      "/.env",
      "*",
    ),
  },
);
const query = fc.oneof(
  { weight: 4, arbitrary: fc.constant("") },
  {
    weight: 2,
    arbitrary: fc
      .array(
        fc.tuple(fc.constantFrom("callbackUrl", "disableRefresh", "disableCookieCache", "x", "error"), nasty),
        { maxLength: 3 },
      )
      .map(
        (pairs) =>
          `?${pairs.map(([name, text]) => `${name}=${encodeURIComponent(text.toWellFormed())}`).join("&")}`,
      ),
  },
  {
    weight: 1,
    arbitrary: fc.string({ maxLength: 30 }).map((text) => `?${text.replaceAll(/[^\x21-\x7e]|#/g, "%")}`),
  },
);
const addresses = fc.constantFrom("203.0.113.1", "203.0.113.2", "2001:db8::1", "::ffff:203.0.113.9");
/** As much of it as a header may have. */
export const headerText = nasty.map((text) =>
  text
    .replaceAll(/[^\x20-\x7e]/g, "?")
    .trim()
    .slice(0, 2_000),
);

/** What has little to do with any documentation. @param cookies of live sessions, for some of it. */
export function wildRequests(cookies: readonly string[]): fc.Arbitrary<Fuzzed> {
  const cookie = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...cookies) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom(...cookies), headerText)
        .map(([one, other]) => `x=${other}; ${one}; ${one}`),
    },
    { weight: 1, arbitrary: headerText.map((text) => `better-auth.session_token=${text}`) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(...cookies)
        .map((one) => `${one.slice(0, -3)}AAA; better-auth.dont_remember=true`),
    },
  );
  const headers = fc.record(
    {
      cookie,
      origin: fc.oneof(fc.constantFrom("http://localhost:3000", "null", "https://evil.example"), headerText),
      referer: fc.oneof(fc.constant("http://localhost:3000/x"), headerText),
      "content-type": fc.oneof(
        { weight: 5, arbitrary: fc.constantFrom("application/json", "application/x-www-form-urlencoded") },
        {
          weight: 1,
          arbitrary: fc.constantFrom(
            "text/plain",
            "multipart/form-data; boundary=x",
            "application/json; charset=utf-16",
          ),
        },
        { weight: 1, arbitrary: headerText },
      ),
      authorization: fc.oneof(
        headerText,
        headerText.map((text) => `Bearer ${text}`),
      ),
      accept: fc.constantFrom("text/html", "application/json", "*/*"),
      "sec-fetch-site": fc.constantFrom("same-origin", "cross-site", "none"),
      "sec-fetch-mode": fc.constantFrom("navigate", "cors"),
      "x-forwarded-for": fc.oneof(headerText, addresses),
      "x-forwarded-host": headerText,
      "x-request-id": headerText,
      "access-control-request-method": fc.constantFrom("POST", "PUT"),
      "user-agent": headerText,
    },
    { requiredKeys: [] },
  );
  const body = fc.oneof(
    { weight: 5, arbitrary: record.map((fuzzed) => JSON.stringify(fuzzed)) },
    {
      weight: 2,
      arbitrary: record.map((fuzzed) =>
        new URLSearchParams(
          Object.entries(fuzzed).map(([name, one]) => [
            name,
            typeof one === "string" ? one : JSON.stringify(one),
          ]),
        ).toString(),
      ),
    },
    { weight: 1, arbitrary: nasty },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
    {
      weight: 1,
      arbitrary: fc.integer({ min: 30_000, max: 40_000 }).map((length) => `{"x":"${"y".repeat(length)}"}`),
    },
  );
  const method = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom("GET", "POST") },
    { weight: 1, arbitrary: fc.constantFrom("HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "PROPFIND") },
  );
  return fc.tuple(method, path, query, headers, body).map(([verb, where, search, sent, content]) => ({
    method: verb,
    path: where + search,
    headers: sent as Record<string, string>,
    body: verb === "POST" || verb === "PUT" || verb === "PATCH" ? content : undefined,
  }));
}
