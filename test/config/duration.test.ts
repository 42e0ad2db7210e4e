import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { formatDuration, parseDuration } from "../../src/config/duration.ts";
import { load, problemsOf } from "./load.ts";

describe("parseDuration", () => {
  test.each([
    ["7d", 604_800],
    ["12h", 43_200],
    ["30m", 1_800],
    ["45s", 45],
    ["90", 90],
    ["1 d", 86_400],
    ["400d", 34_560_000],
  ])("%s is %i seconds", (text, seconds) => {
    expect(parseDuration(text, 1, 34_560_000)).toEqual({ ok: true, value: seconds });
  });

  test.each(["", "d", "7w", "7days", "-1d", "1.5h", "1e3", "7D", "1d12h", "9999999999", "401d", "0", "0d"])(
    "refuses %j",
    (text) => {
      expect(parseDuration(text, 1, 34_560_000)).toMatchObject({ ok: false });
    },
  );

  test.each([
    [604_800, "7d"],
    [90_000, "25h"],
    [90, "90s"],
    [1, "1s"],
    [0, "0s"],
  ])("%i seconds are written %s", (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });

  test("reads back what formatDuration writes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 34_560_000 }), (seconds) => {
        expect(parseDuration(formatDuration(seconds), 0, 34_560_000)).toEqual({ ok: true, value: seconds });
      }),
    );
  });
});

describe("session lifetimes", () => {
  test.each([
    ["LATCHKEY_SESSION_EXPIRES_IN", "7"],
    ["LATCHKEY_SESSION_EXPIRES_IN", "401d"],
    ["LATCHKEY_SESSION_MAX_AGE", "59s"],
    ["LATCHKEY_SESSION_UPDATE_AGE", "1y"],
  ])("refuses %s=%s alone", (name, value) => {
    expect(problemsOf({ [name]: value }).map(({ variable }) => variable)).toEqual([name]);
  });

  test("are from a minute to 400 days, bounds included", () => {
    const least = {
      LATCHKEY_SESSION_UPDATE_AGE: "1s",
      LATCHKEY_SESSION_EXPIRES_IN: "60",
      LATCHKEY_SESSION_MAX_AGE: "1m",
    };
    expect(load(least).config).toMatchObject({ sessionExpiresInSeconds: 60, sessionMaxAgeSeconds: 60 });
    expect(load({ LATCHKEY_SESSION_MAX_AGE: "400d" }).config.sessionMaxAgeSeconds).toBe(34_560_000);
  });

  test("contradict nothing that is refused itself", () => {
    const env = { LATCHKEY_SESSION_EXPIRES_IN: "60d", LATCHKEY_SESSION_MAX_AGE: "a year" };
    expect(problemsOf(env).map(({ variable }) => variable)).toEqual(["LATCHKEY_SESSION_MAX_AGE"]);
  });

  test("say which is a default", () => {
    expect(problemsOf({ LATCHKEY_SESSION_MAX_AGE: "6d" })).toEqual([
      {
        variable: "LATCHKEY_SESSION_MAX_AGE",
        reason: "(6d) is shorter than LATCHKEY_SESSION_EXPIRES_IN (7d, its default)",
        remedy: "set LATCHKEY_SESSION_EXPIRES_IN to at most 6d, or LATCHKEY_SESSION_MAX_AGE to at least 7d",
      },
    ]);
  });

  test("may be equal", () => {
    const env = {
      LATCHKEY_SESSION_UPDATE_AGE: "1h",
      LATCHKEY_SESSION_EXPIRES_IN: "60m",
      LATCHKEY_SESSION_MAX_AGE: "3600",
    };
    expect(load(env).config).toMatchObject({
      sessionUpdateAgeSeconds: 3_600,
      sessionExpiresInSeconds: 3_600,
      sessionMaxAgeSeconds: 3_600,
    });
  });

  test("may refresh every time", () => {
    expect(load({ LATCHKEY_SESSION_UPDATE_AGE: "0" }).config.sessionUpdateAgeSeconds).toBe(0);
  });

  test.each([
    [{ LATCHKEY_SESSION_EXPIRES_IN: "12h" }, "LATCHKEY_SESSION_EXPIRES_IN", "LATCHKEY_SESSION_UPDATE_AGE"],
    [{ LATCHKEY_SESSION_UPDATE_AGE: "8d" }, "LATCHKEY_SESSION_UPDATE_AGE", "LATCHKEY_SESSION_EXPIRES_IN"],
    [{ LATCHKEY_SESSION_EXPIRES_IN: "31d" }, "LATCHKEY_SESSION_EXPIRES_IN", "LATCHKEY_SESSION_MAX_AGE"],
    [{ LATCHKEY_SESSION_MAX_AGE: "6d" }, "LATCHKEY_SESSION_MAX_AGE", "LATCHKEY_SESSION_EXPIRES_IN"],
  ])("%j contradicts a default", (env, variable, other) => {
    const [problem, ...more] = problemsOf(env);
    expect(more).toEqual([]);
    expect(problem?.variable).toBe(variable);
    expect(problem?.reason).toContain(other);
    expect(problem?.reason).toContain("its default");
    expect(problem?.remedy).toContain(other);
  });
});
