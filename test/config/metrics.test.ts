import { describe, expect, test } from "bun:test";
import { filesIn, load, problemsOf, STRONG_SECRET } from "./load.ts";

const [listen, token] = ["LATCHKEY_METRICS_LISTEN", "LATCHKEY_METRICS_TOKEN"] as const;
const metricsOf = (env: Record<string, string>) => load(env).config.metrics;

describe("LATCHKEY_METRICS_LISTEN", () => {
  test.each([
    ["127.0.0.1:9464", { host: "127.0.0.1", port: 9464 }],
    ["[::1]:9464", { host: "::1", port: 9464 }],
    ["localhost:0", { host: "localhost", port: 0 }],
    ["unix:/run/latchkey/metrics.sock", { path: "/run/latchkey/metrics.sock" }],
  ])("%s is for this machine, and wants no token", (text, place) => {
    expect(metricsOf({ [listen]: text })).toEqual({ listen: place, token: null });
  });

  test.each(["0.0.0.0:9464", "[::]:9464", "192.0.2.7:9464", "metrics.example.com:9464"])(
    "%s wants a token",
    (text) => {
      expect(problemsOf({ [listen]: text })).toEqual([
        {
          variable: listen,
          reason: `others than this machine reach "${text}", and there is no ${token}`,
          remedy: `set ${token} (generate one: latchkey secret), or write 127.0.0.1:9464`,
        },
      ]);
      expect(metricsOf({ [listen]: text, [token]: STRONG_SECRET })?.token).toBe(STRONG_SECRET);
    },
  );

  test.each([
    ["9464", '"9464" is no address with a port'],
    ["127.0.0.1", '"127.0.0.1" is no address with a port'],
    ["::1:9464", '"::1:9464" is no address with a port'],
    ["http://127.0.0.1:9464", '"http://127.0.0.1:9464" is no address with a port'],
    ["127.0.0.1:99999", "99999 is above 65535"],
    ["a b:9464", '"a b" is neither an IP address nor a host name'],
    ["unix:metrics.sock", '"unix:metrics.sock" is not unix: and an absolute path'],
    [`unix:/${"x".repeat(96)}`, "has a path of more than 96 bytes"],
  ])("%s is refused", (text, reason) => {
    expect(problemsOf({ [listen]: text })).toEqual([expect.objectContaining({ variable: listen, reason })]);
  });

  test("picks a free port on this machine alone", () => {
    expect(problemsOf({ [listen]: "0.0.0.0:0", [token]: STRONG_SECRET })).toEqual([
      expect.objectContaining({ variable: listen, reason: "port 0 (any free port) is for loopback only" }),
    ]);
  });
});

describe("LATCHKEY_METRICS_TOKEN", () => {
  test("alone has the server itself answer", () => {
    expect(metricsOf({ [token]: STRONG_SECRET })).toEqual({ listen: null, token: STRONG_SECRET });
  });

  test("comes from a file too, and is shown by nobody", () => {
    const { config, settings } = load(
      { [`${token}_FILE`]: "/run/secrets/metrics" },
      { readFile: filesIn({ "/run/secrets/metrics": `${STRONG_SECRET}\n` }) },
    );
    expect(config.metrics).toEqual({ listen: null, token: STRONG_SECRET });
    expect(settings.find(({ name }) => name === token)?.value).toBe("********");
    expect(JSON.stringify(settings)).not.toContain(STRONG_SECRET);
  });

  test.each([
    ["short", "is shorter than 32 bytes"],
    ["0123456789".repeat(5), "is too easy to guess (low entropy)"],
    [`${STRONG_SECRET} x`, "has characters that no bearer token has"],
  ])("%s is refused, and not shown", (text, reason) => {
    const problems = problemsOf({ [token]: text });
    expect(problems).toEqual([{ variable: token, reason, remedy: "generate one: latchkey secret" }]);
  });
});
