import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { meetAtWrite, repeatMeeting } from "../support/meeting.ts";
import { addMember, type Member, memberPassword } from "../support/member.ts";

/** How often each pair meets. */
const rounds = Number(process.env["LATCHKEY_TEST_RACE_ROUNDS"] ?? 4);
const another = "a new good password";

setDefaultTimeout(600_000);

describe.each(dialects)("a command and a request for one account at once on %s", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({ env: database.env });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  /** Lets a command and a request meet at the first write of both. */
  const meet = async (args: readonly string[], stdin: string, ask: () => Promise<Response>) => {
    const run = () => runLatchkey(["users", ...args], { env: database.env, stdin });
    const [{ exitCode, stderr }, response] = await meetAtWrite(database, run, ask);
    return { exitCode, stderr, response };
  };
  const post = (path: string, body: object, client = createClient(server.origin)) =>
    client.fetch(`/api/auth/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const count = async (text: string, value: string) =>
    Number((await database.query(`SELECT count(*) AS n FROM ${text} = $1`, [value]))[0]?.["n"]);
  const rowsOf = async ({ id }: Member) => [
    await count('"user" WHERE id', id),
    await count("account WHERE user_id", id),
    await count("session WHERE user_id", id),
  ];
  const newEmail = () => `${crypto.randomUUID()}@example.com`;
  const repeat = (round: () => Promise<void>) => repeatMeeting(rounds, round);

  test("give an address to one of a set-email and a sign-up", async () => {
    await repeat(async () => {
      const member = await addMember(database);
      const email = newEmail();
      const { exitCode, stderr, response } = await meet(["set-email", member.email, email], "", () =>
        post("sign-up/email", { email, password: another, name: "Ben" }),
      );
      expect([
        [0, 422],
        [2, 200],
      ]).toContainEqual([exitCode, response.status]);
      expect(stderr.includes('"reason":"email_taken"')).toBe(exitCode === 2);
      expect(await count('"user" WHERE email', email)).toBe(1);
      expect(await count('"user" WHERE email', member.email)).toBe(exitCode === 0 ? 0 : 1);
      expect(await count('account a JOIN "user" u ON u.id = a.user_id WHERE u.email', email)).toBe(1);
    });
  });

  test("give an address to one of a create and a sign-up", async () => {
    await repeat(async () => {
      const email = newEmail();
      const { exitCode, response } = await meet(["create", email, "--name", "Ann"], memberPassword, () =>
        post("sign-up/email", { email, password: another, name: "Ben" }),
      );
      expect([
        [0, 422],
        [2, 200],
      ]).toContainEqual([exitCode, response.status]);
      expect(await count('"user" WHERE email', email)).toBe(1);
      expect(await count('account a JOIN "user" u ON u.id = a.user_id WHERE u.email', email)).toBe(1);
      const winner = exitCode === 0 ? memberPassword : another;
      expect((await post("sign-in/email", { email, password: winner })).status).toBe(200);
    });
  });

  test("leave no session of the old password behind a set-password", async () => {
    await repeat(async () => {
      const member = await addMember(database);
      const visitor = createClient(server.origin);
      const { exitCode, response } = await meet(["set-password", member.email], another, () =>
        post("sign-in/email", { email: member.email, password: memberPassword }, visitor),
      );
      expect(exitCode).toBe(0);
      expect([200, 401]).toContain(response.status);
      expect((await visitor.fetch("/api/auth/verify")).status).toBe(401);
      expect(await rowsOf(member)).toEqual([1, 1, 0]);
      expect((await post("sign-in/email", { email: member.email, password: memberPassword })).status).toBe(
        401,
      );
      expect((await post("sign-in/email", { email: member.email, password: another })).status).toBe(200);
    });
  });

  test.each(["sign-in", "change-password", "update-user"] as const)(
    "leave no session of a locked user behind a %s",
    async (action) => {
      await repeat(async () => {
        const member = await addMember(database);
        const browser = member.browser(server.origin, await member.session());
        const ask = {
          "sign-in": () =>
            post(
              "sign-in/email",
              { email: member.email, password: memberPassword },
              createClient(server.origin),
            ),
          "change-password": () =>
            post(
              "change-password",
              { currentPassword: memberPassword, newPassword: another, revokeOtherSessions: true },
              browser,
            ),
          "update-user": () => post("update-user", { name: "Ben" }, browser),
        }[action];
        const { exitCode, response } = await meet(["lock", member.email], "", ask);
        expect(exitCode).toBe(0);
        expect([200, 401]).toContain(response.status);
        expect((await browser.fetch("/api/auth/verify")).status).toBe(401);
        expect(await rowsOf(member)).toEqual([1, 1, 0]);
        for (const password of [memberPassword, another])
          expect((await post("sign-in/email", { email: member.email, password })).status).toBe(401);
        expect(await rowsOf(member)).toEqual([1, 1, 0]);
      });
    },
  );

  test("leave one of two new passwords", async () => {
    await repeat(async () => {
      const member = await addMember(database);
      const browser = member.browser(server.origin, await member.session());
      const body = { currentPassword: memberPassword, newPassword: "one more password" };
      const { exitCode, response } = await meet(["set-password", member.email], another, () =>
        post("change-password", body, browser),
      );
      expect(exitCode).toBe(0);
      expect([200, 400, 401]).toContain(response.status);
      // Whoever was first: the command verifies no old one, so that its password stays.
      expect((await post("sign-in/email", { email: member.email, password: another })).status).toBe(200);
      expect((await browser.fetch("/api/auth/verify")).status).toBe(401);
    });
  });

  test.each(["sign-in", "change-password", "update-user"] as const)(
    "leave nothing of a user behind a delete and %s",
    async (action) => {
      await repeat(async () => {
        const member = await addMember(database);
        const browser = member.browser(server.origin, await member.session());
        const ask = {
          "sign-in": () => post("sign-in/email", { email: member.email, password: memberPassword }),
          "change-password": () =>
            post("change-password", { currentPassword: memberPassword, newPassword: another }, browser),
          "update-user": () => post("update-user", { name: "Ben" }, browser),
        }[action];
        const { exitCode, response } = await meet(["delete", member.id, "--yes"], "", ask);
        expect(exitCode).toBe(0);
        expect([200, 400, 401]).toContain(response.status);
        expect(await rowsOf(member)).toEqual([0, 0, 0]);
        expect((await browser.fetch("/api/auth/verify")).status).toBe(401);
      });
    },
  );

  test.each([
    { args: (member: Member) => ["set-password", member.id] },
    { args: (member: Member) => ["set-email", member.id, newEmail()] },
    { args: (member: Member) => ["rename", member.id, "Ben"] },
  ])("leave nothing of a user who deletes the account meanwhile: %#", async ({ args }) => {
    await repeat(async () => {
      const member = await addMember(database);
      const browser = member.browser(server.origin, await member.session());
      const { exitCode, response } = await meet(args(member), another, () =>
        post("delete-user", { password: memberPassword }, browser),
      );
      expect([0, 2]).toContain(exitCode);
      // After a set-password, who asks is signed in no more.
      const isGone = response.status === 200;
      expect(isGone || args(member)[0] === "set-password").toBe(true);
      expect(await rowsOf(member)).toEqual(isGone ? [0, 0, 0] : [1, 1, 0]);
      expect((await browser.fetch("/api/auth/verify")).status).toBe(401);
    });
  });
});
