import { describe, expect, test } from "bun:test";
import { load, problemsOf } from "./load.ts";

describe("S60: unknown names", () => {
  test.each([
    ["LATCHKEY_SINGUP", "LATCHKEY_SIGN_UP"],
    ["LATCHKEY_SESSION_EXPIRE", "LATCHKEY_SESSION_EXPIRES_IN"],
    ["LATCHKEY_SECRET", "BETTER_AUTH_SECRET"],
    ["LATCHKEY_SECRET_FILE", "BETTER_AUTH_SECRET_FILE"],
    ["LATCHKEY_HOST", "HOST"],
    ["LATCHKEY_LOG_LEVEL", "LOG_LEVEL"],
    ["LATCHKEY_DATABASE_URL", "DATABASE_URL"],
  ])("%s is refused, %s suggested", (name, nearest) => {
    expect(problemsOf({ [name]: "canary" })).toEqual([
      { variable: name, reason: "is not a setting", remedy: `write ${nearest}, or remove it` },
    ]);
  });

  test("warns of no LATCHKEY_PORT that Kubernetes wrote", () => {
    expect(load({ LATCHKEY_PORT: "3001/tcp" }).warnings).toEqual([]);
  });

  test("says which names have no _FILE form", () => {
    expect(problemsOf({ LATCHKEY_DATA_DIR_FILE: "/x" })[0]?.remedy).toStartWith("write LATCHKEY_DATA_DIR, ");
  });

  test("suggests nothing when nothing is near", () => {
    expect(problemsOf({ LATCHKEY_FROBNICATION: "1" })[0]?.remedy).not.toContain("write");
  });

  test("ignores what Kubernetes injects, and everybody else's names", () => {
    const { config, warnings } = load({
      LATCHKEY_SERVICE_HOST: "10.0.0.1",
      LATCHKEY_SERVICE_PORT_HTTP: "3001",
      LATCHKEY_PORT: "tcp://10.0.0.1:3001",
      LATCHKEY_PORT_3001_TCP_ADDR: "10.0.0.1",
      BETTER_AUTH_TELEMETRY: "1",
    });
    expect({ config, warnings }).toEqual({ config: load({}).config, warnings: [] });
  });

  test("warns of a LATCHKEY_PORT that looks meant", () => {
    expect(load({ LATCHKEY_PORT: "4000" }).warnings).toEqual([expect.stringContaining("set PORT")]);
  });
});
