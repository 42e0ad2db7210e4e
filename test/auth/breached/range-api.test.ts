import { afterEach, describe, expect, test } from "bun:test";
import { type BreachOutcome, createBreachRule } from "../../../src/auth/breached/breaches.ts";
import { createRangeApi, rangeTimeoutMs } from "../../../src/auth/breached/range-api.ts";
import { AppError } from "../../../src/errors.ts";
import {
  openRangeServer,
  type RangeBehaviour,
  type RangeServer,
  sha1Digits,
  sha1Of,
} from "../../support/range-server.ts";

const breached = ["P@ssw0rd1!", "correct horse battery staple", "пароль1234", "ﬁrst breach"];
const servers: RangeServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

function open(padded: readonly string[] = []) {
  const server = openRangeServer(breached, padded);
  servers.push(server);
  let at = 0;
  const api = createRangeApi({ url: server.url, version: "1.2.3", now: () => at });
  const outcomes: BreachOutcome[] = [];
  const causes: string[] = [];
  const require = createBreachRule(api, {
    onOutcome: (outcome) => outcomes.push(outcome),
    onUnavailable: (cause) => causes.push(String(cause)),
  });
  const codeOf = async (password: string) => {
    try {
      await require(password);
      return "accepted";
    } catch (error) {
      return error instanceof AppError && error.status === 400 ? error.code : String(error);
    }
  };
  return { server, api, outcomes, causes, codeOf, pass: (ms: number) => (at += ms) };
}

describe("the range API", () => {
  test("known answer: SHA-1 of `password` is in the range 5BAA6", () => {
    expect(sha1Digits("password")).toBe("5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8");
  });

  test("is asked for five digits and no more, with padding, and refuses what it has", async () => {
    const { server, codeOf, outcomes, causes } = open();
    for (const password of breached.slice(0, 3)) expect(await codeOf(password)).toBe("PASSWORD_BREACHED");
    expect(await codeOf("nobody has had this one")).toBe("accepted");
    expect(server.asked).toEqual(
      [...breached.slice(0, 3), "nobody has had this one"].map((password) => ({
        prefix: sha1Digits(password).slice(0, 5),
        padding: "true",
        agent: "latchkey/1.2.3",
      })),
    );
    expect([outcomes, causes, server.strays]).toEqual([
      ["breached", "breached", "breached", "unknown"],
      [],
      [],
    ]);
  });

  test("refuses both what was typed and what is hashed of it", async () => {
    const { codeOf, server } = open();
    // Of `ﬁ`, one character, NFKC makes two; the breach has the one, and of the next the other form.
    expect(await codeOf("ﬁrst breach")).toBe("PASSWORD_BREACHED");
    expect(server.asked).toHaveLength(2);
    expect(await codeOf("ｃorrect horse battery staple")).toBe("PASSWORD_BREACHED");
    expect(await codeOf("first breach")).toBe("accepted");
  });

  test("takes padding for nothing", async () => {
    const { codeOf } = open(["only padding has this"]);
    expect(await codeOf("only padding has this")).toBe("accepted");
  });

  test("counts a range without its padding", async () => {
    const { api } = open();
    expect(await api.count("5BAA6")).toBe(800);
  });

  test.each([
    ["silence", "no answer within"],
    ["trickle", "no answer within"],
    ["500", "the answer is 500"],
    ["redirect", "the answer is 302"],
    ["page", "no range of hashes"],
    ["empty", "no range of hashes"],
    ["endless", "longer than"],
    ["compressed", "no range of hashes"],
  ] satisfies [RangeBehaviour, string][])(
    "that gives %s lets the password pass, within its deadline, and is asked again",
    async (behaviour, reason) => {
      const { server, codeOf, outcomes, causes } = open();
      server.behave(behaviour);
      const started = performance.now();
      expect(await codeOf("P@ssw0rd1!")).toBe("accepted");
      expect(performance.now() - started).toBeLessThan(rangeTimeoutMs + 900);
      expect([outcomes, server.strays]).toEqual([["unavailable"], []]);
      expect(causes).toEqual([expect.stringMatching(new RegExp(`${reason}|timed out|aborted`))]);
      expect(causes.join()).not.toContain(sha1Digits("P@ssw0rd1!").slice(0, 5));
      server.behave("answer");
      expect(await codeOf("P@ssw0rd1!")).toBe("PASSWORD_BREACHED");
    },
  );

  test("that is not there lets the password pass", async () => {
    const { server, codeOf, outcomes, causes } = open();
    await server.stop();
    expect(await codeOf("P@ssw0rd1!")).toBe("accepted");
    expect([outcomes, causes.length]).toEqual([["unavailable"], 1]);
  });

  test("is asked once by two at once, and by who tries again within a minute", async () => {
    const { server, codeOf, pass } = open();
    const [one, other] = [codeOf("P@ssw0rd1!"), codeOf("P@ssw0rd1!")];
    expect([await one, await other]).toEqual(["PASSWORD_BREACHED", "PASSWORD_BREACHED"]);
    pass(59_999);
    expect(await codeOf("P@ssw0rd1!")).toBe("PASSWORD_BREACHED");
    expect(server.asked).toHaveLength(1);
    pass(1);
    expect(await codeOf("P@ssw0rd1!")).toBe("PASSWORD_BREACHED");
    expect(server.asked).toHaveLength(2);
  });

  test("keeps sixteen ranges", async () => {
    const { server, api } = open();
    const passwords = Array.from({ length: 17 }, (_, at) => `password number ${at}`);
    for (const password of passwords) await api.has(sha1Of(password));
    await api.has(sha1Of(passwords[1] ?? ""));
    expect(server.asked).toHaveLength(17);
    await api.has(sha1Of(passwords[0] ?? ""));
    expect(server.asked).toHaveLength(18);
  });

  test("is not flooded: of 40 at once it is asked 32, and the others pass", async () => {
    const { server, codeOf, outcomes, causes } = open();
    server.behave("silence");
    const passwords = Array.from({ length: 40 }, (_, at) => `at once ${at}`);
    await Promise.all(passwords.map(codeOf));
    expect(server.asked).toHaveLength(32);
    expect(outcomes).toEqual(passwords.map(() => "unavailable"));
    expect(causes.filter((cause) => cause.includes("asked for already"))).toHaveLength(8);
    server.behave("answer");
    expect(await codeOf("P@ssw0rd1!")).toBe("PASSWORD_BREACHED");
  });
});
