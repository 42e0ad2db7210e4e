import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createApp } from "../src/app.ts";
import { createAuth } from "../src/auth/better-auth.ts";
import { createHandle } from "../src/auth/handle.ts";
import { createHashLine } from "../src/auth/hash-line.ts";
import { createInvitations } from "../src/auth/invitation.ts";
import { createHashSlots } from "../src/auth/hash-slots.ts";
import { createPasswords } from "../src/auth/password.ts";
import { createRecovery } from "../src/auth/recovery.ts";
import { createUnits } from "../src/auth/unit-of-work.ts";
import type { Database } from "../src/database/database.ts";
import { createFront } from "../src/front.ts";
import { openLog } from "../src/log.ts";
import { createEndings } from "../src/session/endings.ts";
import { createTokenReader, sessionCookieName } from "../src/session/cookie.ts";
import { createSessionReader, isClamped } from "../src/session/get-session.ts";
import { createVerifier } from "../src/session/verifier.ts";
import { load } from "./config/load.ts";
import { dialects, openTestDatabase, type TestDatabase } from "./support/databases.ts";
import { inputRules } from "./support/input-rules.ts";
import { openMigrated } from "./support/open-database.ts";

setDefaultTimeout(60_000);

const secret = "q0V8y3cXrJm5Zb1sTnGfWk7Hd2LpAe9RuYi4Ox6BzNE=";
const peers = { requestIP: () => ({ address: "203.0.113.9", family: "IPv4", port: 1 }) as const };
const day = 86_400_000;

describe.each(dialects)("an application on %s", (dialect) => {
  let outside: TestDatabase;
  let database: Database;
  let lookups = 0;
  let ask: (path: string, init?: RequestInit) => Promise<Response>;
  let cookie = "";

  beforeAll(async () => {
    outside = await openTestDatabase(dialect);
    database = await openMigrated(outside);
    const { config } = load({ BETTER_AUTH_SECRET: secret });
    const units = createUnits(database, () => {});
    const passwords = createPasswords({ inTurn: createHashSlots(1), foreignKinds: async () => [] });
    const endings = createEndings(config.sessionMaxAgeSeconds, Date.now);
    const shared = {
      sessions: {
        ...database.sessions,
        find: (token: string) => {
          lookups += 1;
          return database.sessions.find(token);
        },
      },
      readToken: createTokenReader([secret]),
      cookieName: sessionCookieName(false),
      ...config,
      now: Date.now,
      lives: endings.lives,
    };
    const verify = createVerifier(shared);
    const log = openLog({ level: "silent", format: "json" });
    const health = async () => new Response();
    const rest = { config, version: "0", log, health, readSession: createSessionReader(shared) };
    const notices = { of: async () => {} };
    const recovery = createRecovery({
      database,
      units,
      passwords,
      rules: inputRules,
      notices,
      deviceEndings: { end: async () => {}, endedAt: async () => 0 },
      now: Date.now,
    });
    const invitations = createInvitations({ config, database, rules: inputRules, now: Date.now });
    const accounts = {
      findRecovery: recovery.find,
      findLink: async () => null,
      findInvitation: invitations.find,
      describeEmail: () => ({}),
      rules: inputRules,
      handle: createHandle({
        answerMailRoute: () => undefined,
        findRecovery: recovery.find,
        notices,
        isNewDevice: async () => false,
        hidesTaken: false,
        mayMail: async () => true,
        invitations,
        auth: async () =>
          createAuth({
            config,
            secrets: [secret],
            database,
            units,
            passwords,
            cookieName: shared.cookieName,
            endings,
            mayTell: async () => false,
          }),
        units,
        passwords,
        baseUrl: config.baseUrl,
        secrets: [secret],
        cookieName: shared.cookieName,
        rules: inputRules,
        line: createHashLine({ concurrency: 2, waiting: 10 }),
        limits: null,
        onLimitError: () => undefined,
        present: async (header) => {
          const result = await verify(header, null);
          if (!("session" in result)) return null;
          const { session } = result;
          return {
            isClamped: isClamped(session, config.sessionMaxAgeSeconds),
            isForOneDay: false,
            userId: session.user.id,
            email: session.user.email,
            token: session.token,
            owner: session.user,
          };
        },
        onRehashError: () => {},
        inBackground: () => {},
      }),
    };
    const front = createFront({
      ...rest,
      verify,
      load: async (loaded) => createApp({ ...rest, ...accounts, ...loaded, now: Date.now }),
    });
    ask = async (path, init) => {
      const request = new Request(`http://localhost:3001${path}`, {
        ...init,
        headers: { host: "localhost:3001", cookie, ...init?.headers },
      });
      const fast = front.routes[path];
      return await (fast === undefined ? front.fetch(request, peers) : fast.GET(request, peers));
    };
    const made = await ask("/api/auth/sign-up/email", {
      method: "POST",
      headers: { "content-type": "application/json", origin: "http://localhost:3001" },
      body: JSON.stringify({ name: "Ann", email: "ann@example.com", password: "correct horse battery" }),
    });
    expect(made.status).toBe(200);
    cookie = made.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  });
  afterAll(async () => {
    await database.close();
    await outside.close();
  });

  const expiresIn = (ms: number) => {
    const instant = (at: number) => (dialect === "sqlite" ? at : new Date(at).toISOString());
    const at = Date.now() + ms;
    // Made for a week.
    const values = [instant(at), instant(at - 7 * day)];
    return outside.query("UPDATE session SET expires_at = $1, created_at = $2", values);
  };
  /** How often the session was looked up before BetterAuth did, for a GET. */
  const lookupsOf = async (path: string, headers = {}) => {
    lookups = 0;
    const response = await ask(path, { headers });
    return { lookups, slid: response.headers.getSetCookie().length > 0, status: response.status };
  };

  test.each([
    ["get-session", "/api/auth/get-session", {}],
    ["get-session of a page of another origin", "/api/auth/get-session", { origin: "http://localhost:3000" }],
    ["session", "/api/auth/session", {}],
  ])("looks a session whose refresh is due up once before BetterAuth: %s", async (_name, path, headers) => {
    await expiresIn(day);
    expect(await lookupsOf(path, headers)).toEqual({ lookups: 1, slid: true, status: 200 });
    expect(await lookupsOf(path, headers)).toEqual({ lookups: 1, slid: false, status: 200 });
  });

  test("looks a page's visitor up once", async () => {
    await expiresIn(day);
    expect(await lookupsOf("/signout")).toEqual({ lookups: 1, slid: true, status: 200 });
    expect(await lookupsOf("/signout")).toEqual({ lookups: 1, slid: false, status: 200 });
  });

  test("looks nobody up without a session, and once behind another cookie of BetterAuth's", async () => {
    await expiresIn(day);
    const other = { cookie: `${cookie}; better-auth.dont_remember=x` };
    expect((await lookupsOf("/api/auth/get-session", other)).lookups).toBe(1);
    expect((await lookupsOf("/api/auth/get-session", { cookie: "" })).lookups).toBe(0);
  });
});
