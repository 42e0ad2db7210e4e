import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import * as fc from "fast-check";
import { routes } from "../../src/routes.ts";
import { signToken } from "../../src/session/cookie.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { addMember, memberPassword } from "../support/member.ts";
import { within } from "../support/within.ts";

/** How many a database gets; `bun run test:long` sends 100,000 in all. */
const count = Number(process.env["LATCHKEY_TEST_FUZZ_REQUESTS"] ?? 1_200);
const lanes = 16;
const requestTimeoutMs = 20_000;

setDefaultTimeout(3_600_000);

interface Fuzzed {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
}

/** What may stand anywhere: things that parsers, databases and templates stumble over. */
const nasty = fc.oneof(
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
const headerText = nasty.map((text) =>
  text
    .replaceAll(/[^\x20-\x7e]/g, "?")
    .trim()
    .slice(0, 2_000),
);

function requests(cookies: readonly string[]): fc.Arbitrary<Fuzzed> {
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
      "x-forwarded-for": headerText,
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

describe.each(dialects)("whatever is sent to a server on %s", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  let cookies: readonly string[];
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({ env: { ...database.env, LATCHKEY_BEARER: "signed" } });
    cookies = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const token = await (await addMember(database)).session();
        return `better-auth.session_token=${signToken(token, database.env["BETTER_AUTH_SECRET"] ?? "")}`;
      }),
    );
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  /** What is wrong with an answer; null for a good one. */
  const judge = async ({ method, path: target, headers, body }: Fuzzed): Promise<string | null> => {
    const answer = await within(
      fetch(server.url + (target.startsWith("/") ? target : `/${target}`), {
        method,
        headers,
        redirect: "manual",
        ...(body === undefined
          ? {}
          : { body: typeof body === "string" ? body.toWellFormed() : Buffer.from(body) }),
      }),
      requestTimeoutMs,
    );
    if (answer === undefined) return "no answer";
    const text = await answer.text();
    if (answer.status >= 500) {
      const isBusy = answer.status === 503 && text.includes("TOO_BUSY") && answer.headers.has("retry-after");
      return isBusy ? null : `${answer.status} ${text.slice(0, 200)}`;
    }
    if (!answer.headers.has("x-request-id"))
      return `${answer.status} without a request id: ${text.slice(0, 100)}`;
    const isJson = answer.headers.get("content-type")?.startsWith("application/json") === true;
    if (answer.status < 400 || !isJson || method === "HEAD") return null;
    const { code, message } = JSON.parse(text) as { code?: unknown; message?: unknown };
    return typeof code === "string" && typeof message === "string"
      ? null
      : `${answer.status} ${text.slice(0, 100)}`;
  };

  test(`has an answer that is no 5xx: ${count} requests`, async () => {
    const seed = Number(process.env["LATCHKEY_TEST_FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    const wrong: string[] = [];
    let sent = 0;
    const lane = async (at: number) => {
      const share = Math.ceil(count / lanes);
      for (let done = 0; done < share; done += 1_000) {
        const batch = fc.sample(requests(cookies), {
          seed: seed + at * 1_000_003 + done,
          numRuns: Math.min(1_000, share - done),
        });
        for (const request of batch) {
          sent += 1;
          const problem = await judge(request).catch((error: unknown) => `failed: ${String(error)}`);
          if (problem !== null)
            wrong.push(`seed ${seed}: ${JSON.stringify(request).slice(0, 600)} → ${problem}`);
        }
      }
    };
    await Promise.all(Array.from({ length: lanes }, (_, at) => lane(at)));
    expect(wrong.slice(0, 10)).toEqual([]);
    expect(sent).toBeGreaterThanOrEqual(count);
    expect(server.logs().filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
    // It still does what it is for.
    const member = await addMember(database);
    const signIn = await fetch(`${server.url}/api/auth/sign-in/email`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email: member.email, password: memberPassword }),
    });
    expect(signIn.status).toBe(200);
  });
});
