import { describe, expect, test } from "bun:test";
import { createEndings } from "../../src/session/endings.ts";
import { createTokenReader, signToken } from "../../src/session/cookie.ts";
import { createSessionReader, isClamped } from "../../src/session/get-session.ts";
import type { SessionRow } from "../../src/database/sessions/store.ts";

// That the body is BetterAuth's, byte for byte, is test/e2e/get-session-differential.test.ts's to show.

const secret = "q0V8y3cXrJm5Zb1sTnGfWk7Hd2LpAe9RuYi4Ox6BzNE=";
const name = "better-auth.session_token";
const day = 86_400_000;
const start = Date.UTC(2026, 0, 1);

const live: SessionRow = {
  id: "s",
  token: "a",
  userId: "u",
  expiresAt: start + 7 * day,
  createdAt: start,
  updatedAt: start,
  ipAddress: null,
  userAgent: "Agent",
  user: {
    id: "u",
    name: "Ü",
    email: "u@example.com",
    emailVerified: false,
    image: null,
    createdAt: 0,
    updatedAt: 1,
  },
};

function open(row: SessionRow | null, { now = start } = {}) {
  const clock = { now };
  const current = { row };
  const read = createSessionReader({
    sessions: { find: () => current.row, close: async () => {} },
    readToken: createTokenReader([secret]),
    cookieName: name,
    sessionExpiresInSeconds: 7 * 86_400,
    sessionUpdateAgeSeconds: 86_400,
    sessionMaxAgeSeconds: 30 * 86_400,
    now: () => clock.now,
    lives: createEndings(30 * 86_400, () => clock.now).lives,
  });
  return { read, clock, current };
}

const cookie = `${name}=${signToken("a", secret)}`;

describe("createSessionReader", () => {
  test("answers in BetterAuth's order", () => {
    expect(open(live).read(cookie)).toBe(
      '{"session":{"expiresAt":"2026-01-08T00:00:00.000Z","token":"a","createdAt":"2026-01-01T00:00:00.000Z",' +
        '"updatedAt":"2026-01-01T00:00:00.000Z","ipAddress":null,"userAgent":"Agent","userId":"u","id":"s"},' +
        '"user":{"name":"Ü","email":"u@example.com","emailVerified":false,"image":null,' +
        '"createdAt":"1970-01-01T00:00:00.000Z","updatedAt":"1970-01-01T00:00:00.001Z","id":"u"}}',
    );
  });

  test.each([
    ["no cookie", null],
    ["no cookie of ours", "theme=dark"],
    ["a duplicate", `${cookie}; ${cookie}`],
    ["dont_remember besides", `${cookie}; better-auth.dont_remember=x`],
    ["session_data besides", `better-auth.session_data=x; ${cookie}`],
    ["an unsigned token", `${name}=a`],
    ["a foreign signature", `${name}=${signToken("a", "other")}`],
    ["no blank before it", `a=1;${cookie}`],
    ["the name inside another value", `a=${cookie}`],
  ])("leaves %s to BetterAuth", (_what, header) => {
    expect(open(live).read(header)).toEqual({ isKnown: false });
  });

  test("leaves a session without a row to BetterAuth, and says that it was looked up", () => {
    expect(open(null).read(cookie)).toEqual({ isKnown: true });
  });

  test("leaves an ended session, and one whose refresh is due, to BetterAuth", () => {
    const { read, clock } = open(live);
    const answered = [0, day - 1, day, 7 * day, 7 * day + 1].map((age) => {
      clock.now = start + age;
      return typeof read(cookie);
    });
    expect(answered).toEqual(["string", "string", "object", "object", "object"]);
  });

  test("answers to its very end for a session at its absolute lifetime, which no refresh can lengthen", () => {
    const clamped = { ...live, expiresAt: start + 30 * day };
    const { read, clock } = open(clamped);
    const ends = [29 * day, 30 * day, 30 * day + 1].map((age) => {
      clock.now = start + age;
      return /"expiresAt":"([^"]+)"/.exec(String(read(cookie)))?.[1];
    });
    expect(ends).toEqual(["2026-01-31T00:00:00.000Z", "2026-01-31T00:00:00.000Z", undefined]);
  });

  test("shows the absolute end of a session whose row says a later one", () => {
    const { read } = open({ ...live, expiresAt: start + 90 * day }, { now: start + 29 * day });
    expect(String(read(cookie))).toContain('"expiresAt":"2026-01-31T00:00:00.000Z"');
  });

  test("shows a changed row", () => {
    const { read, current } = open(live);
    expect(String(read(cookie))).toContain('"name":"Ü"');
    current.row = { ...live, user: { ...live.user, name: "New" } };
    expect(String(read(cookie))).toContain('"name":"New"');
    current.row = null;
    expect(read(cookie)).toEqual({ isKnown: true });
  });

  test("waits for a store that does not answer at once", async () => {
    const read = createSessionReader({
      sessions: { find: async () => live, close: async () => {} },
      readToken: createTokenReader([secret]),
      cookieName: name,
      sessionExpiresInSeconds: 7 * 86_400,
      sessionUpdateAgeSeconds: 86_400,
      sessionMaxAgeSeconds: 30 * 86_400,
      now: () => start,
      lives: () => true,
    });
    expect(await read(cookie)).toBe(String(open(live).read(cookie)));
  });
});

describe("isClamped", () => {
  test.each([
    [0, true],
    [-1, false],
    [1, true],
  ])("says of a session that ends %d ms off its absolute lifetime: %p", (offset, clamped) => {
    expect(isClamped({ ...live, expiresAt: start + 30 * day + offset }, 30 * 86_400)).toBe(clamped);
  });
});
