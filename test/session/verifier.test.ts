import { describe, expect, test } from "bun:test";
import { storeUnavailable } from "../../src/database/store-error.ts";
import { createEndings } from "../../src/session/endings.ts";
import { createTokenReader, signToken } from "../../src/session/cookie.ts";
import type { SessionRow, SessionStore } from "../../src/database/sessions/store.ts";
import { createVerifier, sessionEnd } from "../../src/session/verifier.ts";

const secret = "q0V8y3cXrJm5Zb1sTnGfWk7Hd2LpAe9RuYi4Ox6BzNE=";
const name = "better-auth.session_token";
const day = 86_400_000;
const start = Date.UTC(2026, 0, 1);

function row(token: string, ages: Partial<SessionRow> = {}): SessionRow {
  return {
    id: `id-${token}`,
    token,
    userId: "u",
    expiresAt: start + 7 * day,
    createdAt: start,
    updatedAt: start,
    ipAddress: null,
    userAgent: null,
    user: {
      id: "u",
      name: "U",
      email: "u@example.com",
      emailVerified: true,
      image: null,
      createdAt: 0,
      updatedAt: 0,
    },
    ...ages,
  };
}

/** A verifier over rows at hand, whose clock the test moves. */
function open(rows: readonly SessionRow[], { bearer = "off" as "off" | "signed", promises = false } = {}) {
  const asked: string[] = [];
  const clock = { now: start };
  const sessions: SessionStore = {
    find(token) {
      asked.push(token);
      const found = rows.find((candidate) => candidate.token === token) ?? null;
      return promises ? Promise.resolve(found) : found;
    },
    close: async () => {},
  };
  const verify = createVerifier({
    sessions,
    readToken: createTokenReader([secret]),
    cookieName: name,
    bearer,
    lives: createEndings(30 * 86_400, () => clock.now).lives,
  });
  const look = async (cookie: string | null, authorization: string | null = null) => {
    const result = await verify(cookie, authorization);
    return "session" in result ? result.session.id : result.refusal;
  };
  return { verify, look, asked, clock };
}

const signed = (token: string) => signToken(token, secret);
const cookie = (token: string) => `${name}=${signed(token)}`;

describe("createVerifier", () => {
  test("finds a live session, at once where the store answers at once", async () => {
    const { verify } = open([row("a")]);
    expect(verify(cookie("a"), null)).toEqual({ session: row("a") });
    const waiting = open([row("a")], { promises: true }).verify(cookie("a"), null);
    expect(waiting).toBeInstanceOf(Promise);
    expect(await waiting).toEqual({ session: row("a") });
  });

  test("S23: ends a session by its expiry as the clock moves, though the store still has the row", async () => {
    const { look, clock } = open([row("a")]);
    for (const [at, found] of [
      [start + 7 * day - 1, "id-a"],
      [start + 7 * day, "id-a"],
      [start + 7 * day + 1, "SESSION_EXPIRED"],
      [start + 60 * day, "SESSION_EXPIRED"],
      [start, "SESSION_EXPIRED"],
    ] as const) {
      clock.now = at;
      expect([at, await look(cookie("a"))]).toEqual([at, found]);
    }
  });

  test("S87: does not revive a session that it found ended when the clock is put back", async () => {
    const [ended, fresh] = [row("a"), row("b")];
    const { look, clock } = open([ended, fresh]);
    clock.now = start + 7 * day + 1;
    expect(await look(cookie("a"))).toBe("SESSION_EXPIRED");
    clock.now = start;
    expect([await look(cookie("a")), await look(cookie("b"))]).toEqual(["SESSION_EXPIRED", "id-b"]);
    // Whoever gave it a later end since then meant it.
    Object.assign(ended, { expiresAt: ended.expiresAt + day });
    expect(await look(cookie("a"))).toBe("id-a");
  });

  test("S87: gives a session from the future back when the clock is right again", async () => {
    const { look, clock } = open([row("a")]);
    clock.now = start - 365 * day;
    expect(await look(cookie("a"))).toBe("SESSION_EXPIRED");
    clock.now = start;
    expect(await look(cookie("a"))).toBe("id-a");
  });

  test("S22: ends a session at its absolute lifetime, whatever its row says", async () => {
    const { look, clock } = open([row("a", { expiresAt: start + 90 * day })]);
    clock.now = start + 30 * day;
    expect(await look(cookie("a"))).toBe("id-a");
    clock.now += 1;
    expect(await look(cookie("a"))).toBe("SESSION_EXPIRED");
  });

  test.each([
    ["no cookie", null, "NO_CREDENTIALS"],
    ["another's cookie", "theme=dark", "NO_CREDENTIALS"],
    ["an empty cookie", `${name}=`, "NO_CREDENTIALS"],
    ["an unsigned token", `${name}=a`, "INVALID_SESSION"],
    ["a foreign signature", `${name}=${signToken("a", "other")}`, "INVALID_SESSION"],
    ["a signed token without a row", cookie("gone"), "SESSION_EXPIRED"],
    ["the session behind others", `a=1; b="2"; ${cookie("a")}; c`, "id-a"],
    ["no blank before it", `a=1;${cookie("a")}`, "id-a"],
    ["a bad one first", `${name}=x; ${cookie("a")}`, "INVALID_SESSION"],
  ])("answers %s", async (_what, header, found) => {
    expect(await open([row("a")]).look(header)).toBe(found);
  });

  test("does not ask the store for what no secret of ours signed", async () => {
    const { look, asked } = open([row("a")]);
    await look(`${name}=a`);
    await look(`${name}=${signToken("a", "other")}`);
    await look(null);
    expect(asked).toEqual([]);
  });

  describe("with bearer off", () => {
    test.each([`Bearer ${signed("a")}`, "Bearer x", "Basic YTpi"])("ignores %s", async (authorization) => {
      const { look } = open([row("a"), row("b")]);
      expect([await look(null, authorization), await look(cookie("b"), authorization)]).toEqual([
        "NO_CREDENTIALS",
        "id-b",
      ]);
    });
  });

  describe("with bearer signed", () => {
    const both = () => open([row("a"), row("b")], { bearer: "signed" });
    test.each([
      ["alone", null, `Bearer ${signed("a")}`, "id-a"],
      ["decoded", null, `Bearer ${decodeURIComponent(signed("a"))}`, "id-a"],
      ["in another case, with blanks", null, `bEaReR   ${signed("a")}  `, "id-a"],
      ["before the cookie", cookie("b"), `Bearer ${signed("a")}`, "id-a"],
      [
        "before the cookie, though its session is gone",
        cookie("b"),
        `Bearer ${signed("gone")}`,
        "SESSION_EXPIRED",
      ],
      ["not when unsigned: the cookie counts", cookie("b"), "Bearer b", "id-b"],
      ["not when unsigned, and there is no cookie", null, "Bearer a", "INVALID_SESSION"],
      ["not the raw token of a stolen database", null, "Bearer a", "INVALID_SESSION"],
      ["not when empty", null, "Bearer ", "NO_CREDENTIALS"],
      ["not with a second value", null, `Bearer ${signed("a")} x`, "NO_CREDENTIALS"],
      ["not under another scheme", cookie("b"), `Basic ${signed("a")}`, "id-b"],
      ["not as a bare value", null, signed("a"), "NO_CREDENTIALS"],
    ])("takes it %s", async (_what, header, authorization, found) => {
      expect(await both().look(header, authorization)).toBe(found);
    });
  });

  test("lets a failing store fail, thrown or rejected", async () => {
    const failure = storeUnavailable(new Error("gone"));
    const deps = {
      readToken: createTokenReader([secret]),
      cookieName: name,
      bearer: "off",
      lives: () => true,
    } as const;
    const store = (find: SessionStore["find"]): SessionStore => ({
      find,
      close: async () => {},
    });
    const throwing = createVerifier({
      ...deps,
      sessions: store(() => {
        throw failure;
      }),
    });
    const rejecting = createVerifier({ ...deps, sessions: store(() => Promise.reject(failure)) });
    expect(() => throwing(cookie("a"), null)).toThrow(failure);
    expect(await Promise.resolve(rejecting(cookie("a"), null)).catch((error: unknown) => error)).toBe(
      failure,
    );
  });
});

describe("sessionEnd", () => {
  test.each([
    [{ createdAt: 1_000, expiresAt: 5_000 }, 10, 5_000],
    [{ createdAt: 1_000, expiresAt: 11_000 }, 10, 11_000],
    [{ createdAt: 1_000, expiresAt: 99_000 }, 10, 11_000],
  ])("of %j within %d s is %d", (ages, maxAgeSeconds, end) => {
    expect(sessionEnd(ages, maxAgeSeconds)).toBe(end);
  });
});
