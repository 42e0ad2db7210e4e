import { describe, expect, test } from "bun:test";
import { authRoutes } from "../../src/auth/routes.ts";
import { type AuthEvent, logAuthEvent } from "../../src/http/auth-event.ts";
import { hashedSessionId, type Log } from "../../src/log.ts";

/** What the log was given. */
function logged(event: Partial<AuthEvent>): unknown[] {
  const lines: unknown[] = [];
  const log = {
    info: (fields: object, message: string) => void lines.push({ ...fields, message }),
  } as unknown as Log;
  logAuthEvent(log, {
    path: "/sign-in/email",
    status: 200,
    requestId: "r-1",
    clientAddress: "203.0.113.9",
    seen: {},
    ...event,
  });
  return lines;
}

const base = { requestId: "r-1", clientAddress: "203.0.113.9" };

describe("logAuthEvent", () => {
  test("tells who, which session and from where, the session by its hash", () => {
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
    const told = [...authRoutes].filter(([path]) => logged({ path }).length === 1);
    expect(told.map(([path]) => path).sort()).toEqual(
      [...authRoutes].flatMap(([path, method]) => (method === "POST" ? [path] : [])).sort(),
    );
    expect(logged({ path: "/nowhere" })).toEqual([]);
  });
});
