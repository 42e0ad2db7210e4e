import { describe, expect, test } from "bun:test";
import { load, problemsOf } from "./load.ts";

const NAME = "LATCHKEY_TRUSTED_PROXIES";
const HTTPS = { BETTER_AUTH_URL: "https://auth.example.com" };

describe("LATCHKEY_TRUSTED_PROXIES", () => {
  test.each([
    ["none", []],
    ["NONE", []],
    ["10.0.0.0/8", ["10.0.0.0/8"]],
    ["10.0.0.0/8, 192.168.1.7,fd00::/8,", ["10.0.0.0/8", "192.168.1.7/32", "fd00::/8"]],
    ["2001:DB8:0:0::1", ["2001:db8::1/128"]],
    ["10.0.0.1,10.0.0.1/32", ["10.0.0.1/32"]],
  ])("%s is %j", (text, trustedProxies) => {
    expect(load({ ...HTTPS, HOST: "0.0.0.0", [NAME]: text }).config.trustedProxies).toEqual(trustedProxies);
  });

  test.each([
    ["localhost", "neither"],
    ["10.0.0", "neither"],
    ["010.0.0.1", "neither"],
    ["10.0.0.0/", "neither"],
    ["10.0.0.0/-1", "neither"],
    ["10.0.0.0-10.0.0.9", "neither"],
    ["1/10.0.0.0/8", "neither"],
    ["/8", "neither"],
    ["fe80::1%eth0", "neither"],
    ["10.0.0.0/33", "longer than 32"],
    ["fd00::/129", "longer than 128"],
    ["0.0.0.0/0", "every client"],
    ["::/0", "every client"],
    ["10.1.2.3/8", "after its prefix"],
    ["fd00::1/8", "after its prefix"],
    ["::ffff:10.0.0.0/104", "IPv4"],
    ["none,10.0.0.0/8", "none"],
    [",", "no address"],
  ])("refuses %s: %s", (text, reason) => {
    expect(problemsOf({ [NAME]: text })).toEqual([
      { variable: NAME, reason: expect.stringContaining(reason), remedy: expect.any(String) },
    ]);
  });

  test("says which network was meant", () => {
    expect(problemsOf({ [NAME]: "10.1.2.3/8" })[0]?.remedy).toBe("write 10.0.0.0/8, or 10.1.2.3");
  });

  test.each([
    [{}, []],
    [{ HOST: "0.0.0.0" }, []],
    [HTTPS, ["127.0.0.0/8", "::1/128"]],
    [{ ...HTTPS, HOST: "::1" }, ["127.0.0.0/8", "::1/128"]],
    [{ ...HTTPS, HOST: "localhost" }, ["127.0.0.0/8", "::1/128"]],
  ])("%j defaults to %j", (env, trustedProxies) => {
    expect(load(env).config.trustedProxies).toEqual(trustedProxies);
  });

  test.each(["0.0.0.0", "::", "10.1.2.3", "auth.internal"])("must be given for https on HOST=%s", (host) => {
    expect(problemsOf({ ...HTTPS, HOST: host }).map(({ variable }) => variable)).toEqual([NAME]);
  });
});
