import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { meetAtWrite, repeatMeeting } from "../support/meeting.ts";
import { addMember, type Member, memberPassword } from "../support/member.ts";

/** How often each pair meets. */
const rounds = Number(process.env["LATCHKEY_TEST_RACE_ROUNDS"] ?? 3);
const another = "a new good password";
const ofLink = "the password of a link";

setDefaultTimeout(600_000);

describe.each(dialects)("a link for a new password, used at once with something else, on %s", (dialect) => {
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
  const users = (args: readonly string[], stdin = "") =>
    runLatchkey(["users", ...args], { env: { ...database.env, BETTER_AUTH_URL: server.origin }, stdin });
  const tokenOf = async ({ email }: Member) => {
    const { stdout } = await users(["recovery-link", email]);
    return new URL(stdout.trim()).searchParams.get("token") ?? "";
  };
  const post = (path: string, body: object, client = createClient(server.origin)) =>
    client.fetch(`/api/auth/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const use = (token: string) => post("reset-password", { token, newPassword: ofLink });
  /** Which of the passwords sign in. */
  const signIns = async ({ email }: Member) => {
    const statuses: number[] = [];
    for (const password of [memberPassword, another, ofLink])
      statuses.push((await post("sign-in/email", { email, password })).status);
    return statuses;
  };
  const count = async (text: string, value: string) =>
    Number((await database.query(`SELECT count(*) AS n FROM ${text} = $1`, [value]))[0]?.["n"]);
  const sessionsOf = ({ id }: Member) => count("session WHERE user_id", id);
  const linksOf = ({ id }: Member) => count("verification WHERE identifier", `latchkey:recovery:${id}`);
  const repeat = (round: (member: Member) => Promise<void>) =>
    repeatMeeting(rounds, async () => round(await addMember(database)));

  test("leaves no session of the old password behind", async () => {
    await repeat(async (member) => {
      const token = await tokenOf(member);
      const visitor = createClient(server.origin);
      const [used, signedIn] = await meetAtWrite(
        database,
        () => use(token),
        () => post("sign-in/email", { email: member.email, password: memberPassword }, visitor),
      );
      expect(used.status).toBe(200);
      expect([200, 401]).toContain(signedIn.status);
      expect((await visitor.fetch("/api/auth/verify")).status).toBe(401);
      expect([await sessionsOf(member), await linksOf(member)]).toEqual([0, 0]);
      expect(await signIns(member)).toEqual([401, 401, 200]);
    });
  });

  test("never undoes a password that an operator set", async () => {
    await repeat(async (member) => {
      const token = await tokenOf(member);
      const [used, { exitCode }] = await meetAtWrite(
        database,
        () => use(token),
        () => users(["set-password", member.email], another),
      );
      expect([exitCode, [200, 400].includes(used.status)]).toEqual([0, true]);
      expect(await signIns(member)).toEqual([401, 200, 401]);
      expect((await use(token)).status).toBe(400);
    });
  });

  test("leaves one of the two passwords of a change and of a link, and no session where it won", async () => {
    await repeat(async (member) => {
      const token = await tokenOf(member);
      const browser = member.browser(server.origin, await member.session());
      const body = { currentPassword: memberPassword, newPassword: another };
      const [used, changed] = await meetAtWrite(
        database,
        () => use(token),
        () => post("change-password", body, browser),
      );
      expect([
        [200, 401],
        [400, 200],
      ]).toContainEqual([used.status, changed.status]);
      expect((await browser.fetch("/api/auth/verify")).status).toBe(used.status === 200 ? 401 : 200);
      expect(await signIns(member)).toEqual(used.status === 200 ? [401, 401, 200] : [401, 200, 401]);
    });
  });

  test("lets nobody in who is locked meanwhile, and leaves no link", async () => {
    await repeat(async (member) => {
      const token = await tokenOf(member);
      const [used, { exitCode }] = await meetAtWrite(
        database,
        () => use(token),
        () => users(["lock", member.email]),
      );
      expect([exitCode, [200, 400].includes(used.status)]).toEqual([0, true]);
      expect(await signIns(member)).toEqual([401, 401, 401]);
      expect([await sessionsOf(member), await linksOf(member)]).toEqual([0, 0]);
    });
  });

  test("is not given out beside a lock", async () => {
    await repeat(async (member) => {
      const [given, { exitCode }] = await meetAtWrite(
        database,
        () => users(["recovery-link", member.email]),
        () => users(["lock", member.email]),
      );
      expect([exitCode, [0, 2].includes(given.exitCode)]).toEqual([0, true]);
      expect(await linksOf(member)).toBe(0);
    });
  });
});
