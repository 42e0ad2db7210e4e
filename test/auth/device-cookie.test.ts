import { describe, expect, test } from "bun:test";
import { createDevices } from "../../src/auth/device-cookie.ts";

const secret = "q0V8y3cXrJm5Zb1sTnGfWk7Hd2LpAe9RuYi4Ox6BzNE=";
const older = "Zk4Wm9Rt2Qy7Bx5Lc8Vn3Hj6Fp1Gd0SaUeIoXzTqMwE=";
const open = (secrets: readonly string[] = [secret], secure = false) =>
  createDevices({ secrets, secure, sameSite: "lax", now: () => at });
const cookieIn = (set: readonly string[]) => set[0]?.split(";")[0] ?? "";

let at = Date.now();

describe("S13: device cookies", () => {
  test("name a browser at the account that it signed in to, and at no other", () => {
    const devices = open();
    const set = devices.remember(null, "ann@example.com");
    expect(set).toEqual([
      expect.stringMatching(
        /^latchkey\.device=[\w-]{22}\.[\w-]{43}; Max-Age=34560000; Path=\/; HttpOnly; SameSite=Lax$/,
      ),
    ]);
    expect(devices.find(cookieIn(set), "ann@example.com")).toMatch(/^[\w-]{22}$/);
    expect(devices.find(cookieIn(set), "ben@example.com")).toBeNull();
    expect(devices.find(null, "ann@example.com")).toBeNull();
  });

  test("stay the same at every sign-in, so that their count does", () => {
    const devices = open();
    const first = cookieIn(devices.remember(null, "ann@example.com"));
    expect(cookieIn(devices.remember(first, "ann@example.com"))).toBe(first);
  });

  test("end with what the account ends, and begin anew at the next sign-in", () => {
    const devices = open();
    const ann = "ann@example.com";
    const before = cookieIn(devices.remember(null, ann));
    const endedAt = at;
    expect(devices.find(before, ann, endedAt - 1)).not.toBeNull();
    expect(devices.find(before, ann, endedAt)).toBeNull();
    at += 5;
    const after = cookieIn(devices.remember(before, ann, endedAt));
    expect(devices.find(after, ann, endedAt)).not.toBeNull();
  });

  test("of three people who share a browser are kept, the latest first", () => {
    const devices = open();
    const people = ["a@example.com", "b@example.com", "c@example.com", "d@example.com"];
    let cookie = "";
    for (const person of people) cookie = cookieIn(devices.remember(cookie, person));
    expect(people.map((person) => devices.find(cookie, person) !== null)).toEqual([false, true, true, true]);
    expect(cookie.split("~")).toHaveLength(3);
  });

  test("count past a change of the secret, and are signed anew", () => {
    const before = cookieIn(open([older]).remember(null, "ann@example.com"));
    const both = open([secret, older]);
    const id = both.find(before, "ann@example.com");
    expect(id).not.toBeNull();
    const after = cookieIn(both.remember(before, "ann@example.com"));
    expect(open([secret]).find(after, "ann@example.com")).toBe(id);
    expect(open([secret]).find(before, "ann@example.com")).toBeNull();
  });

  test.each([
    "latchkey.device=",
    "latchkey.device=x.y",
    `latchkey.device=${"A".repeat(22)}.${"A".repeat(43)}`,
    `latchkey.device=${"~".repeat(5_000)}`,
  ])("that somebody made up are none", (cookie) => {
    expect(open().find(cookie, "ann@example.com")).toBeNull();
  });

  test("keep to their host behind https", () => {
    expect(open([secret], true).remember(null, "ann@example.com")[0]).toMatch(
      /^__Host-latchkey\.device=[^;]+; Max-Age=34560000; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
    );
  });
});
