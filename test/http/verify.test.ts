import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { storeUnavailable } from "../../src/database/store-error.ts";
import { createVerifyAnswer, headerText, type VerifyAnswerDeps } from "../../src/http/verify.ts";
import type { SessionRow } from "../../src/database/sessions/store.ts";

const day = 86_400_000;
const row: SessionRow = {
  id: "s",
  token: "secret-token-of-this-session",
  userId: "u",
  expiresAt: 7 * day,
  createdAt: 0,
  updatedAt: 1,
  ipAddress: "203.0.113.9",
  userAgent: "agent",
  user: {
    id: "u",
    name: "Ünä 😀 100%",
    email: "u@example.com",
    emailVerified: true,
    image: null,
    createdAt: 2,
    updatedAt: 3,
  },
};

function open(verify: VerifyAnswerDeps["verify"], readsBearer = false) {
  const failures: unknown[] = [];
  const answer = createVerifyAnswer({
    verify,
    sessionMaxAgeSeconds: 3 * 86_400,
    readsBearer,
    fixedHeaders: { "X-Content-Type-Options": "nosniff" },
    onFailure: (error) => void failures.push(error),
  });
  let count = 0;
  const ask = async (headers: Readonly<Record<string, string>> = {}) =>
    await answer(new Request("http://localhost/api/auth/verify", { headers }), `id-${(count += 1)}`);
  return { ask, failures };
}

const common = {
  "content-type": "application/json;charset=utf-8",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
  vary: "Origin, Cookie, Authorization",
};

describe("createVerifyAnswer", () => {
  test("S28: says who it is, without the token, the address and the agent", async () => {
    const response = await open(() => ({ session: row })).ask();
    const body = await response.text();
    expect({ status: response.status, headers: Object.fromEntries(response.headers) }).toEqual({
      status: 200,
      headers: {
        ...common,
        "x-request-id": "id-1",
        "x-auth-user-id": "u",
        "x-auth-session-id": "s",
        "x-auth-email": "u@example.com",
        "x-auth-email-verified": "true",
        "x-auth-name": "%C3%9Cn%C3%A4%20%F0%9F%98%80%20100%25",
      },
    });
    expect(JSON.parse(body)).toEqual({
      valid: true,
      user: {
        id: "u",
        name: "Ünä 😀 100%",
        email: "u@example.com",
        emailVerified: true,
        image: null,
        createdAt: "1970-01-01T00:00:00.002Z",
        updatedAt: "1970-01-01T00:00:00.003Z",
      },
      session: {
        id: "s",
        userId: "u",
        // Its absolute end, which comes first.
        expiresAt: "1970-01-04T00:00:00.000Z",
        createdAt: "1970-01-01T00:00:00.000Z",
        updatedAt: "1970-01-01T00:00:00.001Z",
      },
    });
    expect(body + JSON.stringify([...response.headers])).not.toMatch(/secret-token|203\.0|agent/);
  });

  test.each([
    ["NO_CREDENTIALS", 'Bearer realm="latchkey"'],
    ["INVALID_SESSION", 'Bearer realm="latchkey", error="invalid_token"'],
    ["SESSION_EXPIRED", 'Bearer realm="latchkey", error="invalid_token"'],
  ] as const)("refuses with %s", async (refusal, challenge) => {
    const response = await open(async () => ({ refusal })).ask();
    expect({ status: response.status, headers: Object.fromEntries(response.headers) }).toEqual({
      status: 401,
      headers: { ...common, "www-authenticate": challenge, "x-request-id": "id-1" },
    });
    expect(await response.json()).toEqual({ valid: false, code: refusal, message: expect.any(String) });
  });

  test.each([
    [
      "thrown",
      () => {
        throw storeUnavailable(new Error("connect ECONNREFUSED 10.0.0.7"));
      },
    ],
    ["rejected", () => Promise.reject(new Error("connect ECONNREFUSED 10.0.0.7"))],
  ] as const)(
    "answers an outage (%s) with 503, never with 401 or 200, and tells the log",
    async (_how, verify) => {
      const { ask, failures } = open(verify);
      const response = await ask();
      expect({ status: response.status, headers: Object.fromEntries(response.headers) }).toMatchObject({
        status: 503,
        headers: {
          "cache-control": "no-store",
          "retry-after": "1",
          "x-request-id": "id-1",
          vary: common.vary,
        },
      });
      const body = await response.text();
      expect(JSON.parse(body)).toMatchObject({ valid: false, code: "SESSION_STORE_UNAVAILABLE" });
      expect(body).not.toMatch(/ECONN|10\.0/);
      expect(failures).toHaveLength(1);
    },
  );

  test.each(["the same", "a new"])("gives every answer an id of its own, the row %s one", async (kind) => {
    const { ask } = open(() => ({ session: kind === "the same" ? row : { ...row } }));
    const answers = [await ask(), await ask(), await ask()];
    expect(answers.map((answer) => answer.headers.get("x-request-id"))).toEqual(["id-1", "id-2", "id-3"]);
    const bodies = await Promise.all(answers.map((answer) => answer.text()));
    expect(new Set(bodies).size).toBe(1);
  });

  test("gives each of two who ask in turn his own, whether his answer is new or kept", async () => {
    const ann = { ...row, id: "sa", user: { ...row.user, id: "ann", name: "Ann", emailVerified: true } };
    const bob = { ...row, id: "sb", user: { ...row.user, id: "bob", name: "Bob", emailVerified: false } };
    const { ask } = open((cookie) => ({ session: cookie === "ann" ? ann : bob }));
    const who = ["ann", "bob", "ann", "ann", "bob", "bob", "ann", "bob"];
    // All are read after the last was made.
    const answers = [];
    for (const cookie of who) answers.push(await ask({ cookie }));
    const seen = answers.map(({ headers }) =>
      ["user-id", "session-id", "email-verified", "name"].map((name) => headers.get(`x-auth-${name}`)),
    );
    expect(seen).toEqual(
      who.map((name) => (name === "ann" ? ["ann", "sa", "true", "Ann"] : ["bob", "sb", "false", "Bob"])),
    );
    const bodies = await Promise.all(
      answers.map(async (it) => (await it.json()) as { user: { id: string } }),
    );
    expect(bodies.map(({ user }) => user.id)).toEqual(who);
  });

  test.each([true, false])(
    "hands the credentials on, Authorization only where it counts: %p",
    async (readsBearer) => {
      const given: unknown[] = [];
      const verify: VerifyAnswerDeps["verify"] = (...credentials) => {
        given.push(credentials);
        return { refusal: "NO_CREDENTIALS" };
      };
      const { ask } = open(verify, readsBearer);
      await ask({ cookie: "a=1", authorization: "Bearer x" });
      await ask();
      expect(given).toEqual([
        ["a=1", readsBearer ? "Bearer x" : null],
        [null, null],
      ]);
    },
  );

  test("shows a row that changed, not the one it rendered before", async () => {
    let current = row;
    const { ask } = open(() => ({ session: current }));
    await ask();
    current = { ...row, user: { ...row.user, name: "New", emailVerified: false } };
    const response = await ask();
    expect([response.headers.get("x-auth-name"), response.headers.get("x-auth-email-verified")]).toEqual([
      "New",
      "false",
    ]);
    expect(await response.json()).toMatchObject({ user: { name: "New", emailVerified: false } });
  });

  test("S53: takes any name and address into its headers", async () => {
    const text = fc.string({ unit: "binary", maxLength: 60 });
    const property = fc.asyncProperty(text, text, async (name, email) => {
      const session = { ...row, user: { ...row.user, name, email } };
      const { headers } = await open(() => ({ session })).ask();
      expect(
        [headers.get("x-auth-name"), headers.get("x-auth-email")].map((value) =>
          decodeURIComponent(value ?? ""),
        ),
      ).toEqual([name.toWellFormed(), email.toWellFormed()]);
    });
    await fc.assert(property, { numRuns: 300 });
  });
});

describe("headerText", () => {
  test("S53: is visible ASCII that decodes to the text", () => {
    const units = (["binary", "grapheme", "grapheme-ascii"] as const).map((unit) => fc.string({ unit }));
    const halves = fc
      .array(fc.integer({ min: 0, max: 0xffff }))
      .map((codes) => String.fromCharCode(...codes));
    const property = fc.property(fc.oneof(...units, halves), (text) => {
      const encoded = headerText(text);
      expect(encoded).toMatch(/^[\x21-\x7e]*$/);
      expect(decodeURIComponent(encoded)).toBe(text.toWellFormed());
    });
    fc.assert(property, { numRuns: 2_000 });
  });

  test.each([
    ["ann@example.com", "ann@example.com"],
    ["Ann Example", "Ann%20Example"],
    ["100%", "100%25"],
    ["a\r\nX-Evil: 1", "a%0D%0AX-Evil:%201"],
    ["~!()*'\"<>", "~!()*'\"<>"],
    ["\u007f\u0000", "%7F%00"],
    ["\ud800", "%EF%BF%BD"],
    ["", ""],
  ])("of %j is %s", (text, encoded) => {
    expect(headerText(text)).toBe(encoded);
  });
});
