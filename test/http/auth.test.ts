import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import type { Unit } from "../../src/auth/unit-of-work.ts";
import { createAuthCall, hashedSessionId, logEvent } from "../../src/http/auth.ts";
import { createRequestDescription } from "../../src/http/request.ts";
import type { Log } from "../../src/log.ts";
import { type AuthRouteName, routeList } from "../../src/routes.ts";

interface Event {
  readonly name: AuthRouteName;
  readonly status: number;
  readonly code: string;
  readonly seen: Unit["seen"];
}

/** What the log was given. */
function logged({ name = "signIn", status = 200, code, seen = {} }: Partial<Event>): unknown[] {
  const lines: unknown[] = [];
  const log = {
    info: (fields: object, message: string) => void lines.push({ ...fields, message }),
  } as unknown as Log;
  logEvent(
    log,
    name,
    { seen },
    { requestId: "r-1", traceparent: undefined, clientAddress: "203.0.113.9" },
    status,
    code,
  );
  return lines;
}

const base = { requestId: "r-1", clientAddress: "203.0.113.9" };

describe("createAuthCall", () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test("answers 503 when 5 s are over, and from then on nothing that is written counts", async () => {
    const lines: unknown[] = [];
    const log = { info: (fields: object) => void lines.push(fields) } as unknown as Log;
    let given: Unit | undefined;
    const call = createAuthCall({
      log,
      now: () => 0,
      pace: async () => {},
      describeEmail: () => ({ emailHash: "0123456789abcdef" }),
      handle: (_request, unit) => {
        given = unit;
        return new Promise(() => {});
      },
    });
    const request = new Request("http://localhost/api/auth/sign-in/email", { method: "POST" });
    const context = createRequestDescription([], () => "r-1")(request, { requestIP: () => null });
    const { headers } = request;
    const answer = call({ name: "signIn", search: "", headers, body: {} }, context).catch(
      (error: unknown) => error,
    );
    jest.advanceTimersByTime(4_999);
    expect([await Promise.race([answer, Promise.resolve("waiting")]), given?.abandoned]).toEqual([
      "waiting",
      false,
    ]);
    jest.advanceTimersByTime(1);
    expect(await answer).toMatchObject({ status: 503, code: "STORE_UNAVAILABLE" });
    expect([given?.abandoned, lines]).toEqual([
      true,
      [expect.objectContaining({ event: "sign_in", outcome: "failure", reason: "STORE_UNAVAILABLE" })],
    ]);
  });
});

describe("logEvent", () => {
  test("S64: tells who, which session and from where, the session by its hash", () => {
    expect(logged({ seen: { userId: "u", sessionId: "s-1" } })).toEqual([
      {
        ...base,
        event: "sign_in",
        outcome: "success",
        userId: "u",
        session: hashedSessionId("s-1"),
        message: "sign in",
      },
    ]);
  });

  test.each([
    [
      "what was seen, before the code",
      { code: "CODE", seen: { reason: "wrong_password" } },
      "wrong_password",
    ],
    ["the code", { code: "CODE" }, "CODE"],
    ["the status, for want of both", {}, "401"],
  ])("names as a failure's reason %s", (_what, event, reason) => {
    expect(logged({ status: 401, ...event })).toEqual([
      { ...base, event: "sign_in", outcome: "failure", reason, message: "sign in" },
    ]);
  });

  test.each([
    [200, "success"],
    [302, "success"],
    [399, "success"],
    [400, "failure"],
    [503, "failure"],
  ])("counts %d as a %s, and gives no reason for a success", (status, outcome) => {
    const [line] = logged({ status, seen: { reason: "wrong_password" } }) as Record<string, unknown>[];
    expect([line?.["outcome"], "reason" in (line ?? {})]).toEqual([outcome, outcome === "failure"]);
  });

  test("has a name for every route that changes something, and tells nothing of the others", () => {
    const handed = routeList.filter(({ betterAuth }) => betterAuth === true);
    const told = handed.filter(({ name }) => logged({ name: name as AuthRouteName }).length === 1);
    expect(told).toEqual(handed.filter(({ methods }) => methods === "POST"));
    expect(told.length).toBe(15);
  });
});

describe("hashedSessionId", () => {
  test("is the same for the same session, short, and not the id", () => {
    const id = "9RTRgYz9bMykFTsUaWQSP4ZhzXmhyed7";
    const expected = createHash("sha256").update(id).digest("hex").slice(0, 16);
    expect([hashedSessionId(id), hashedSessionId(id), hashedSessionId("other") === expected]).toEqual([
      expected,
      expected,
      false,
    ]);
    expect(hashedSessionId("latchkey")).toBe("03e759a06bdcbf94");
  });
});
