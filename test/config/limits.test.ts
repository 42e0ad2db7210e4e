import { describe, expect, test } from "bun:test";
import { load, problemsOf } from "./load.ts";

describe("the limits", () => {
  test("are on, whatever NODE_ENV says", () => {
    for (const NODE_ENV of [undefined, "development", "test", "production"])
      expect(load({ NODE_ENV }).config.limits).toEqual({
        signIn: { points: 50, seconds: 900 },
        signUp: { points: 60, seconds: 3_600 },
        mail: { points: 1_000, seconds: 3_600 },
        connections: 1_000,
      });
  });

  test("count connections, too", () => {
    expect(load({ LATCHKEY_LIMIT_CONNECTIONS: "64" }).config.limits?.connections).toBe(64);
    expect(problemsOf({ LATCHKEY_LIMIT_CONNECTIONS: "1" })).toMatchObject([
      { variable: "LATCHKEY_LIMIT_CONNECTIONS" },
    ]);
  });

  test("can be off for this machine alone", () => {
    expect(load({ LATCHKEY_LIMITS: "off" }).config.limits).toBeNull();
    expect(
      load({ LATCHKEY_LIMITS: "off", BETTER_AUTH_URL: "http://127.0.0.1:3001" }).config.limits,
    ).toBeNull();
    expect(problemsOf({ LATCHKEY_LIMITS: "off", BETTER_AUTH_URL: "https://auth.example.com" })).toMatchObject(
      [{ variable: "LATCHKEY_LIMITS", reason: expect.stringContaining("not this machine") }],
    );
  });

  test.each([
    ["5/1m", { points: 5, seconds: 60 }],
    [" 100 / 1d ", { points: 100, seconds: 86_400 }],
    ["20/90", { points: 20, seconds: 90 }],
  ])("%p is a rate", (text, signIn) => {
    expect(load({ LATCHKEY_LIMIT_SIGN_IN: text }).config.limits?.signIn).toEqual(signIn);
  });

  test.each(["50", "50/", "/15m", "4/15m", "100001/15m", "50/30s", "50/2d", "50/15m/1", "-5/15m", "5.5/15m"])(
    "%p is none",
    (text) => {
      expect(problemsOf({ LATCHKEY_LIMIT_SIGN_UP: text })).toMatchObject([
        { variable: "LATCHKEY_LIMIT_SIGN_UP", remedy: expect.stringContaining("50/15m") },
      ]);
    },
  );
});
