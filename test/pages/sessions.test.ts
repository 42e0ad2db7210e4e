import { describe, expect, test } from "bun:test";
import { describeDevice, shortAddress } from "../../src/pages/views/device.ts";
import { en } from "../../src/pages/views/messages/en.ts";
import { visit } from "./requests.ts";
import { macFirefox, scriptedNow, type ScriptedSession } from "./scripted-pages.ts";

const hour = 60 * 60 * 1_000;
const session = (
  id: string,
  activeBefore: number,
  overrides: Partial<ScriptedSession> = {},
): ScriptedSession => ({
  id,
  userAgent: macFirefox,
  ipAddress: "203.0.113.9",
  createdAt: "2025-11-01T12:00:00.000Z",
  updatedAt: new Date(scriptedNow - activeBefore).toISOString(),
  ...overrides,
});

/** The text of each list item, spaces collapsed. */
const items = (html: string) =>
  [...html.matchAll(/<li>(.*?)<\/li>/gs)].map((match) =>
    (match[1] ?? "")
      .replace(/<[^>]*>/g, " ")
      .replace(/\s+/g, " ")
      .trim(),
  );

describe("the list of sessions", () => {
  test("starts with this device, then the newest, each but this one to be signed out", async () => {
    const sessions = [
      session("old", 24.1 * hour, {
        userAgent: "curl/8.4.0",
        ipAddress: "0000:0000:0000:0000:0000:0000:0000:0001",
        createdAt: "2025-10-01T09:30:00.000Z",
      }),
      session("here", 30 * hour),
      session("recent", 23.9 * hour, { createdAt: "2025-10-01T17:05:00.000Z" }),
    ];
    const { html } = await visit({ sessions, current: "here" }, { signedIn: true }).get("/account");
    expect(items(html)).toEqual([
      "Firefox on macOS This device Active now 203.0.113.9 Signed in 1 November 2025 at 12:00 UTC",
      "Firefox on macOS Active within the last day 203.0.113.9 Signed in 1 October 2025 at 17:05 UTC " +
        "Sign out Firefox on macOS, signed in 1 October 2025 at 17:05 UTC",
      "curl Last active yesterday ::1 Signed in 1 October 2025 at 09:30 UTC " +
        "Sign out curl, signed in 1 October 2025 at 09:30 UTC",
    ]);
    expect([...html.matchAll(/name="id" value="(\w+)"/g)].map((match) => match[1])).toEqual([
      "recent",
      "old",
    ]);
    expect(html).toContain("Sign out all other devices</button>");
  });

  test.each([
    [1, "yesterday"],
    [6, "6 days ago"],
    [20, "2 weeks ago"],
    [100, "3 months ago"],
    [800, "2 years ago"],
  ])("tells the age of %i days roughly: %s", async (days, age) => {
    const sessions = [session("here", 0), session("x", days * 24 * hour + 1)];
    const { html } = await visit({ sessions }, { signedIn: true }).get("/account");
    expect(items(html)[1]).toContain(`Last active ${age} `);
  });

  test.each([
    ["0000:0000:0000:0000:0000:0000:0000:0001", "::1"],
    ["2001:0db8:04e0:0000:0000:0000:0009:c31a", "2001:db8:4e0::9:c31a"],
    ["203.0.113.9", "203.0.113.9"],
    ["nonsense:", "nonsense:"],
  ])("writes %s as %s", (address, short) => {
    expect(shortAddress(address)).toBe(short);
  });

  test("of one device offers nothing to sign out", async () => {
    const { html } = await visit({}, { signedIn: true }).get("/account");
    expect(items(html)).toHaveLength(1);
    expect(html).not.toContain("/account/sessions/");
  });

  test("shows fifty and counts the rest", async () => {
    const sessions = Array.from({ length: 120 }, (_, index) =>
      session(index === 0 ? "here" : `s${index}`, index * hour),
    );
    const { html } = await visit({ sessions }, { signedIn: true }).get("/account");
    expect(items(html)).toHaveLength(50);
    expect(html).toContain("More devices that are signed in: 70");
  });

  test("keeps a hostile user agent text", async () => {
    const sessions = [session("here", 0), session("x", 0, { userAgent: "<img src=x onerror=alert(1)>" })];
    const { html } = await visit({ sessions }, { signedIn: true }).get("/account");
    expect(html).not.toContain("<img");
    expect(items(html)[1]).toStartWith("Unknown browser");
  });
});

describe("describeDevice", () => {
  test.each([
    [
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
      "Chrome on Windows",
    ],
    [
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
      "Edge on Windows",
    ],
    [
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
      "Safari on iOS",
    ],
    [
      "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
      "Samsung Internet on Android",
    ],
    ["Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"],
    ["python-httpx/0.27.0", "python-httpx"],
    ["Mozilla/5.0", "Unknown browser"],
    ["", "Unknown device"],
    [null, "Unknown device"],
  ])("%s is %s", (userAgent, device) => {
    expect(describeDevice(userAgent, en)).toBe(device);
  });

  test("reads no more than a browser sends", () => {
    expect(describeDevice(`Mozilla/5.0 ${" ".repeat(500)}${macFirefox}`, en)).toBe("Unknown browser");
  });
});
