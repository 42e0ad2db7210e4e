import { LimitReached } from "../../src/auth/limits.ts";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { hashPassword as hashByScrypt } from "better-auth/crypto";
import { createEndings } from "../../src/session/endings.ts";
import { createAuth } from "../../src/auth/better-auth.ts";
import { type AuthRequest, createHandle } from "../../src/auth/handle.ts";
import { createHashLine } from "../../src/auth/hash-line.ts";
import { createInvitations } from "../../src/auth/invitation.ts";
import { createHashSlots } from "../../src/auth/hash-slots.ts";
import { createPasswords, type Passwords } from "../../src/auth/password.ts";
import { createUnits, newUnit } from "../../src/auth/unit-of-work.ts";
import type { Database } from "../../src/database/database.ts";
import type { AuthRouteName } from "../../src/routes.ts";
import { load } from "../config/load.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { inputRules } from "../support/input-rules.ts";
import { openMigrated } from "../support/open-database.ts";

setDefaultTimeout(60_000);

const secret = "q0V8y3cXrJm5Zb1sTnGfWk7Hd2LpAe9RuYi4Ox6BzNE=";
const password = "correct horse battery";

describe.each(dialects)("createHandle on %s", (dialect) => {
  let outside: TestDatabase;
  let database: Database;
  let people = 0;
  beforeAll(async () => {
    outside = await openTestDatabase(dialect);
    database = await openMigrated(outside);
  });
  afterAll(async () => {
    await database.close();
    await outside.close();
  });

  /** BetterAuth on the database, with hashing that a test may hold up. */
  function open(passwords: Partial<Passwords> = {}) {
    const { config } = load({ BETTER_AUTH_SECRET: secret });
    const units = createUnits(database, () => {});
    const hashing: Passwords = {
      ...createPasswords({ inTurn: createHashSlots(1), foreignKinds: async () => [] }),
      ...passwords,
    };
    const cookieName = "better-auth.session_token";
    const endings = createEndings(config.sessionMaxAgeSeconds, Date.now);
    const auth = createAuth({
      config,
      secrets: [secret],
      database,
      units,
      passwords: hashing,
      cookieName,
      endings,
      mayTell: async () => false,
    });
    const background: Promise<void>[] = [];
    const rehashErrors: unknown[] = [];
    const deps = {
      auth: async () => auth,
      units,
      passwords: hashing,
      invitations: createInvitations({ config, database, rules: inputRules, now: Date.now }),
      answerMailRoute: () => undefined,
      findRecovery: async () => null,
      notices: { of: async () => {} },
      isNewDevice: async () => false,
      hidesTaken: false,
      mayMail: async () => true,
      baseUrl: config.baseUrl,
      secrets: [secret],
      cookieName,
      rules: inputRules,
      line: createHashLine({ concurrency: 2, waiting: 100 }),
      limits: null,
      onLimitError: () => undefined,
      present: async () => null,
      onRehashError: (error: unknown) => void rehashErrors.push(error),
      inBackground: (work: Promise<void>) => void background.push(work),
    };
    const handle = createHandle(deps);
    const call = (name: AuthRouteName, body: AuthRequest["body"], unit = newUnit()) =>
      handle(
        { name, search: "", headers: new Headers(), body, clientAddress: "203.0.113.9", reading: undefined },
        unit,
      );
    return { auth, units, call, background, rehashErrors, deps };
  }

  /** Somebody whose password BetterAuth hashed. */
  async function adopted(): Promise<string> {
    const email = `adopted-${(people += 1)}@example.com`;
    await open().call("signUp", { email, password, name: "Ann" });
    await setHash(email, await hashByScrypt(password));
    return email;
  }
  const ofUser = 'user_id = (SELECT id FROM "user" WHERE email = $1)';
  const setHash = (email: string, hash: string) =>
    outside.query(`UPDATE account SET password = $2 WHERE ${ofUser}`, [email, hash]);
  const hashOf = async (email: string) =>
    String((await outside.query(`SELECT password FROM account WHERE ${ofUser}`, [email]))[0]?.["password"]);
  const users = async (email: string) =>
    (await outside.query('SELECT 1 AS one FROM "user" WHERE email = $1', [email])).length;

  test("S6: renews BetterAuth's scrypt hash after the sign-in is answered, and no current one", async () => {
    const email = await adopted();
    const { call, background, rehashErrors } = open();
    expect((await call("signIn", { email, password })).status).toBe(200);
    await Promise.all(background.splice(0));
    const renewed = await hashOf(email);
    expect(renewed).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect((await call("signIn", { email, password })).status).toBe(200);
    expect([background, rehashErrors, await hashOf(email)]).toEqual([[], [], renewed]);
  });

  test("S6: answers a sign-in without waiting for the new hash, or for its failure", async () => {
    const email = await adopted();
    const gate = Promise.withResolvers<string>();
    const { call, background, rehashErrors } = open({ hash: () => gate.promise });
    expect((await call("signIn", { email, password })).status).toBe(200);
    gate.reject(new Error("no hash today"));
    await Promise.all(background);
    expect(rehashErrors).toEqual([expect.objectContaining({ message: "no hash today" })]);
    expect(await hashOf(email)).toMatch(/^[0-9a-f]{32}:/);
  });

  test("does not put a renewed hash in place of a password that was changed meanwhile", async () => {
    const email = await adopted();
    const gate = Promise.withResolvers<string>();
    const { call, background } = open({ hash: () => gate.promise });
    await call("signIn", { email, password });
    await setHash(email, "changed");
    gate.resolve("renewed");
    await Promise.all(background);
    expect(await hashOf(email)).toBe("changed");
  });

  test("S14: does not even have those stand in line of whom a limit is known to be reached", async () => {
    const { deps } = open();
    let admitted = 0;
    const handle = createHandle({
      ...deps,
      limits: {
        isNewDevice: async () => false,
        mayTell: async () => false,
        mayMail: async () => true,
        refuseKnown() {
          throw new LimitReached("account", 2_500);
        },
        async admit() {
          admitted += 1;
          return { settle: async () => [] };
        },
      },
    });
    const unit = newUnit();
    const body = { email: "ann@example.com", password };
    const request = { name: "signIn", search: "", headers: new Headers(), body, reading: undefined } as const;
    await expect(handle({ ...request, clientAddress: "203.0.113.9" }, unit)).rejects.toMatchObject({
      status: 429,
      headers: { "Retry-After": "3" },
    });
    expect([admitted, unit.enteredAt, unit.seen.reason]).toEqual([0, 0, "limit_account"]);
  });

  test("keeps what was written when the answer is a success, and nothing of it when it is a refusal", async () => {
    const { auth, deps, units } = open();
    const writing = (status: number, email: string) => {
      const handle = createHandle({
        ...deps,
        // BetterAuth's own adapter, under an endpoint that writes before it answers.
        auth: async () =>
          ({
            ...auth,
            handler: async () => {
              const { adapter } = await auth.$context;
              const at = new Date();
              const data = { email, name: "Ann", emailVerified: false, createdAt: at, updatedAt: at };
              await adapter.create({ model: "user", data });
              return new Response(null, { status });
            },
          }) as typeof auth,
      });
      const request = { search: "", headers: new Headers(), body: {}, clientAddress: "203.0.113.9" };
      return handle({ ...request, name: "signOut", reading: undefined });
    };
    const written: [number, number][] = [];
    for (const status of [200, 302, 400, 401, 422, 500]) {
      const email = `status-${status}-${dialect}@example.com`;
      expect((await writing(status, email)).status).toBe(status);
      written.push([status, await users(email)]);
    }
    expect(units.current()).toBeUndefined();
    expect(written).toEqual([
      [200, 1],
      [302, 1],
      [400, 0],
      [401, 0],
      [422, 0],
      [500, 0],
    ]);
  });

  test("keeps nothing for a caller whose time is over, and does not begin for one who waited it out", async () => {
    const email = `late-${dialect}@example.com`;
    const { call } = open();
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const slow = open({
      hash: async (plain) => {
        begun.resolve();
        await gate.promise;
        return await createPasswords({ inTurn: createHashSlots(1), foreignKinds: async () => [] }).hash(
          plain,
        );
      },
    });
    const unit = newUnit();
    const signingUp = slow.call("signUp", { email, password, name: "Ann" }, unit);
    await begun.promise;
    unit.abandoned = true;
    gate.resolve();
    expect((await signingUp).status).toBe(200);
    expect(await users(email)).toBe(0);
    const late = { ...newUnit(), abandoned: true };
    await expect(call("signUp", { email, password, name: "Ann" }, late)).rejects.toMatchObject({
      code: "TOO_BUSY",
    });
    expect(await users(email)).toBe(0);
  });
});
