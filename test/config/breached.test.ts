import { describe, expect, test } from "bun:test";
import { load, problemsOf } from "./load.ts";

const api = { LATCHKEY_PASSWORD_BREACHED: "api" };
const url = (address: string) => ({ ...api, LATCHKEY_PASSWORD_BREACHED_URL: address });
const breachedOf = (env: Record<string, string>) => load(env).config.passwordBreached;

describe("LATCHKEY_PASSWORD_BREACHED", () => {
  test("is off by default, and takes a range API or a file", () => {
    expect(breachedOf({})).toBeNull();
    expect(breachedOf({ LATCHKEY_PASSWORD_BREACHED: "off" })).toBeNull();
    expect(breachedOf(api)).toEqual({ by: "api", url: "https://api.pwnedpasswords.com/range" });
    expect(
      breachedOf({ LATCHKEY_PASSWORD_BREACHED: "file", LATCHKEY_PASSWORD_BREACHED_FILE: "x.filter" }),
    ).toEqual({ by: "file", path: "/srv/latchkey/x.filter" });
  });

  test.each([
    ["https://ranges.example.com/v1/", "https://ranges.example.com/v1"],
    ["https://ranges.example.com", "https://ranges.example.com"],
    ["http://127.0.0.1:8081/range", "http://127.0.0.1:8081/range"],
    ["http://localhost/range", "http://localhost/range"],
    ["http://[::1]:80/range", "http://[::1]/range"],
  ])("asks %s", (address, asked) => {
    expect(breachedOf(url(address))).toEqual({ by: "api", url: asked });
  });

  const file = "LATCHKEY_PASSWORD_BREACHED_FILE";
  test.each([
    [url("http://ranges.example.com"), "LATCHKEY_PASSWORD_BREACHED_URL", "plain http"],
    [url("http://127.0.0.1.example.com"), "LATCHKEY_PASSWORD_BREACHED_URL", "plain http"],
    [url("ranges.example.com"), "LATCHKEY_PASSWORD_BREACHED_URL", "is no https:// URL"],
    [url("ftp://ranges.example.com"), "LATCHKEY_PASSWORD_BREACHED_URL", "is no https:// URL"],
    [url("https://a:hunter2@ranges.example.com"), "LATCHKEY_PASSWORD_BREACHED_URL", "holds a user name"],
    [url("https://ranges.example.com/?key=1"), "LATCHKEY_PASSWORD_BREACHED_URL", "a query or a fragment"],
    [{ LATCHKEY_PASSWORD_BREACHED: "yes" }, "LATCHKEY_PASSWORD_BREACHED", "yes"],
    [{ LATCHKEY_PASSWORD_BREACHED: "file" }, file, "is not set, but LATCHKEY_PASSWORD_BREACHED is file"],
    [{ LATCHKEY_PASSWORD_BREACHED: "file", [file]: "~/x" }, file, "starts with ~"],
    [{ [file]: "x" }, file, "is set, but LATCHKEY_PASSWORD_BREACHED is off"],
    [{ ...api, [file]: "x" }, file, "is set, but LATCHKEY_PASSWORD_BREACHED is api"],
    [
      { LATCHKEY_PASSWORD_BREACHED_URL: "https://ranges.example.com" },
      "LATCHKEY_PASSWORD_BREACHED_URL",
      "is set, but LATCHKEY_PASSWORD_BREACHED is off",
    ],
  ])("refuses %o", (env, variable, reason) => {
    const problems = problemsOf(env);
    expect(problems).toEqual([
      { variable, reason: expect.stringContaining(reason), remedy: expect.stringMatching(/./) },
    ]);
    expect(JSON.stringify(problems)).not.toContain("hunter2");
  });
});
