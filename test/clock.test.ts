import { afterEach, describe, expect, setDefaultTimeout, setSystemTime, test } from "bun:test";
import { openLog } from "../src/log.ts";
import { prepareDataDirectory } from "../src/data-directory.ts";
import { openService } from "../src/service.ts";
import { load } from "./config/load.ts";
import { dialects, openTestDatabase } from "./support/databases.ts";

setDefaultTimeout(60_000);

const year = 365 * 24 * 60 * 60 * 1_000;
const peers = { requestIP: () => ({ address: "203.0.113.9", family: "IPv4", port: 1 }) as const };
const person = { email: "ann@example.com", password: "correct horse battery", name: "Ann" };
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  setSystemTime();
  for (const close of closing.splice(0).toReversed()) await close();
});

describe.each(dialects)("S87: a clock that jumps, on %s", (dialect) => {
  async function open() {
    const database = await openTestDatabase(dialect);
    const { config } = load(database.env, { cpuCount: 2 });
    if (config.database.driver === "sqlite") prepareDataDirectory(config.dataDir);
    const log = openLog({ level: "silent", format: "json" });
    const service = await openService({ config, log, version: "0", now: Date.now });
    closing.push(database.close, service.close);
    const ask = async (path: string, cookie: string, body?: object) =>
      await service.front.fetch(
        new Request(`http://localhost:3001${path}`, {
          method: body === undefined ? "GET" : "POST",
          headers: {
            host: "localhost:3001",
            cookie,
            "content-type": "application/json",
            origin: "http://localhost:3001",
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }),
        peers,
      );
    const enter = async (path: string) => {
      const answer = await ask(path, "", person);
      const line = answer.headers.getSetCookie().find((cookie) => cookie.includes("session_token")) ?? "";
      return { status: answer.status, cookie: line.split(";")[0] ?? "" };
    };
    const seen = async (cookie: string) => ({
      verify: (await ask("/api/auth/verify", cookie)).status,
      session: (await (await ask("/api/auth/get-session", cookie)).json()) === null ? "nobody" : "somebody",
      health: (await ask("/health", "")).status,
    });
    return { ask, enter, seen };
  }

  test("put back revives no session that was found ended, on any route", async () => {
    const { ask, enter, seen } = await open();
    const { cookie } = await enter("/api/auth/sign-up/email");
    const other = await enter("/api/auth/sign-in/email");
    const now = Date.now();
    setSystemTime(now + year);
    expect((await ask("/api/auth/verify", cookie)).status).toBe(401);
    setSystemTime(now);
    expect(await seen(other.cookie)).toEqual({ verify: 200, session: "somebody", health: 200 });
    const changed = await ask("/api/auth/update-user", cookie, { name: "Revived" });
    const listed = await ask("/api/auth/list-sessions", cookie);
    expect([changed.status, listed.status]).toEqual([401, 401]);
    expect(await seen(cookie)).toEqual({ verify: 401, session: "nobody", health: 200 });
  });

  test.each([
    ["forth", year, { verify: 401, session: "nobody", health: 200 }],
    // A session that was made in the future is none that latchkey made.
    ["back", -year, { verify: 401, session: "nobody", health: 200 }],
  ])("a year %s crashes nothing, and who signs in then is in", async (_where, byMs, expected) => {
    const { enter, seen } = await open();
    const { cookie } = await enter("/api/auth/sign-up/email");
    expect(await seen(cookie)).toEqual({ verify: 200, session: "somebody", health: 200 });
    setSystemTime(Date.now() + byMs);
    expect(await seen(cookie)).toEqual(expected);
    const again = await enter("/api/auth/sign-in/email");
    expect(again.status).toBe(200);
    expect(await seen(again.cookie)).toEqual({ verify: 200, session: "somebody", health: 200 });
  });
});
