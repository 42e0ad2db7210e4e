import { describe, expect, test } from "bun:test";
import { AppError } from "../../src/errors.ts";
import { errorResponse, methodNotAllowed, notFound, publicError } from "../../src/http/error-response.ts";

describe("S46: publicError", () => {
  test("lets an error with a public message through as it is", () => {
    const error = new AppError("INVALID_EMAIL", "It is none.");
    expect(publicError(error)).toBe(error);
  });

  test.each([
    ["an error", new Error("SELECT * FROM user at /srv/latchkey/src/x.ts:1:2")],
    ["an error with a status of its own", Object.assign(new Error("secret"), { status: 200, code: "LEAK" })],
    ["a string", "secret"],
    ["nothing", undefined],
  ])("makes %s a 500 that names nothing, and keeps the cause for the log", async (_what, thrown) => {
    const shown = publicError(thrown);
    expect(shown.cause).toBe(thrown);
    const response = errorResponse(shown);
    expect([response.status, await response.json()]).toEqual([
      500,
      { code: "INTERNAL_SERVER_ERROR", message: "Something went wrong." },
    ]);
  });
});

describe("S46: errorResponse", () => {
  test("is JSON with code and message alone, not to be stored, with the error's headers", async () => {
    const error = new AppError("TOO_BUSY", "Later.", {
      cause: new Error("secret"),
      headers: { "Retry-After": "2" },
    });
    const response = errorResponse(error);
    expect({
      status: response.status,
      headers: Object.fromEntries(response.headers),
      text: await response.text(),
    }).toEqual({
      status: 503,
      headers: {
        "content-type": "application/json;charset=utf-8",
        "cache-control": "no-store",
        "retry-after": "2",
      },
      text: '{"code":"TOO_BUSY","message":"Later."}',
    });
  });

  test.each([
    [notFound(), 404, "NOT_FOUND", null],
    [methodNotAllowed(["GET", "HEAD"]), 405, "METHOD_NOT_ALLOWED", "GET, HEAD"],
  ])("of $code", async (error, status, code, allow) => {
    const response = errorResponse(error);
    expect([response.status, response.headers.get("allow"), await response.json()]).toEqual([
      status,
      allow,
      { code, message: expect.any(String) },
    ]);
  });
});
