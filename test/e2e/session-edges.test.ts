import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { signToken } from "../../src/session/cookie.ts";
import type { TestClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { addMember, type Member, memberPassword } from "../support/member.ts";

const day = 24 * 60 * 60 * 1000;
const name = "better-auth.session_token";

setDefaultTimeout(120_000);

describe.each(dialects)("sessions at the edges on %s", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  const otherSecret = "Zq3vJ8sLw0XcT5yRb7NfKd2HgM9pUeAo4iV6";
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({ env: database.env });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  const verify = async (client: TestClient) => (await client.fetch("/api/auth/verify")).status;
  const sessionsOf = async (member: Member) =>
    (await database.query("SELECT token FROM session WHERE user_id = $1", [member.id])).map(({ token }) =>
      String(token),
    );
  const post = (client: TestClient, path: string, body: object, headers: Record<string, string> = {}) =>
    client.fetch(`/api/auth/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  const instant = (at: number) => (dialect === "sqlite" ? at : new Date(at).toISOString());
  /** Many sessions, the newest last. */
  const addMany = async (member: Member, count: number) => {
    const values = (at: number) =>
      `('${member.id}-${at}', '${member.id}-t${at}', '${member.id}', ${quote(instant(Date.now() + 6 * day))}, ` +
      `${quote(instant(Date.now() - day + at))}, ${quote(instant(Date.now() - day + at))}, '', '')`;
    for (let from = 0; from < count; from += 500) {
      const rows = Array.from({ length: Math.min(500, count - from) }, (_, at) => values(from + at));
      await database.query(
        `INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at, ip_address, user_agent) VALUES ${rows.join()}`,
      );
    }
  };
  const quote = (value: number | string) => (typeof value === "number" ? String(value) : `'${value}'`);

  test("B5: revoke-other-sessions ends all of 3,000, in the API and by the page", async () => {
    const member = await addMember(database);
    const own = await member.session();
    const client = member.browser(server.origin, own);
    await addMany(member, 3_000);
    expect((await client.auth.revokeOtherSessions()).data).toEqual({ status: true });
    expect(await sessionsOf(member)).toEqual([own]);
    await addMany(member, 150);
    const answer = await client.fetch("/account/sessions/revoke-others", {
      method: "POST",
      headers: { origin: server.origin, "sec-fetch-site": "same-origin" },
      body: new URLSearchParams(),
    });
    expect(answer.status).toBe(303);
    expect(await sessionsOf(member)).toEqual([own]);
  });

  test("B5: deleting an account and changing its password end more than a hundred sessions", async () => {
    const member = await addMember(database);
    const client = member.browser(server.origin, await member.session());
    await addMany(member, 250);
    const newPassword = "another good one";
    const change = { currentPassword: memberPassword, newPassword, revokeOtherSessions: true };
    expect((await client.auth.changePassword(change)).error).toBeNull();
    expect(await sessionsOf(member)).toHaveLength(1);
    await addMany(member, 250);
    expect((await client.auth.deleteUser({ password: newPassword })).error).toBeNull();
    expect(await sessionsOf(member)).toEqual([]);
  });

  test("B5: list-sessions shows the newest that live, and says how many there are", async () => {
    const member = await addMember(database);
    const own = await member.session();
    await addMany(member, 1_200);
    await member.session({ ageMs: 31 * day, leftMs: day });
    await member.session({ ageMs: 8 * day, leftMs: -1_000 });
    const answer = await member.browser(server.origin, own).fetch("/api/auth/list-sessions");
    const listed = (await answer.json()) as { id: string; createdAt: string }[];
    expect([answer.headers.get("x-total-count"), listed.length]).toEqual(["1201", 1_000]);
    expect(listed[0]?.id).toBe(`s-${own}`);
    expect(listed[1]?.id).toBe(`${member.id}-1199`);
    const instants = listed.map(({ createdAt }) => createdAt);
    expect(instants).toEqual(instants.toSorted().toReversed());
    const page = await (await member.browser(server.origin, own).fetch("/account")).text();
    expect(page).toContain("More devices that are signed in: 1151");
  });

  describe("B7: a session without remember me stays for one day", () => {
    const signIn = async (member: Member) => {
      const client = member.browser(server.origin, "none");
      client.jar.clear();
      await client.auth.signIn.email({ email: member.email, password: memberPassword, rememberMe: false });
      return client;
    };
    const leftMs = async (member: Member) => {
      const [row] = await database.query("SELECT expires_at FROM session WHERE user_id = $1", [member.id]);
      return new Date(row?.["expires_at"] as number | string).getTime() - Date.now();
    };
    const isPersistent = (answer: Response) =>
      answer.headers
        .getSetCookie()
        .some((cookie) => cookie.startsWith(name) && /max-age=[1-9]/i.test(cookie));
    /** As long ago as a refresh would be due. */
    const grow = (member: Member) =>
      database.query("UPDATE session SET expires_at = $2, created_at = $3 WHERE user_id = $1", [
        member.id,
        instant(Date.now() + day / 2),
        instant(Date.now() - day / 2),
      ]);

    test.each(["get-session", "session", "list-sessions", "update-user"])(
      "by %s, though its cookie was dropped",
      async (route) => {
        const member = await addMember(database);
        const client = await signIn(member);
        await grow(member);
        const cookie = `${name}=${client.jar.get(name)}`;
        const stripped = member.browser(server.origin, "none");
        const answer =
          route === "update-user"
            ? await post(stripped, route, { name: "Other" }, { cookie })
            : await stripped.fetch(`/api/auth/${route}`, { headers: { cookie } });
        expect(answer.status).toBe(200);
        expect(isPersistent(answer)).toBe(false);
        expect(await leftMs(member)).toBeLessThan(day / 2 + 1_000);
      },
    );

    test("when its password is changed with revocation", async () => {
      const member = await addMember(database);
      const client = await signIn(member);
      const cookie = `${name}=${client.jar.get(name)}`;
      const answer = await post(
        client,
        "change-password",
        { currentPassword: memberPassword, newPassword: "another good one", revokeOtherSessions: true },
        { cookie },
      );
      expect([answer.status, isPersistent(answer)]).toEqual([200, false]);
      expect(await leftMs(member)).toBeLessThan(day + 1_000);
      expect(await leftMs(member)).toBeGreaterThan(day - 60_000);
    });

    test("S62: when the secret is rotated", async () => {
      const member = await addMember(database);
      const client = await signIn(member);
      const old = database.env["BETTER_AUTH_SECRET"] ?? "";
      const { BETTER_AUTH_SECRET: _, ...env } = database.env;
      const rotated = await spawnLatchkey({
        env: { ...env, BETTER_AUTH_SECRETS: `2:${otherSecret},1:${old}` },
      });
      await grow(member);
      const answer = await fetch(`${rotated.origin}/api/auth/get-session`, {
        headers: { cookie: client.jar.header() },
      });
      expect([answer.status, (await answer.json()) === null]).toEqual([200, false]);
      expect(isPersistent(answer)).toBe(false);
      expect(await leftMs(member)).toBeLessThan(day / 2 + 1_000);
      await rotated.stop();
    });

    test("while one with it slides on, whatever cookie comes beside it", async () => {
      const member = await addMember(database);
      const token = await member.session({ ageMs: 6 * day, leftMs: day });
      const secret = database.env["BETTER_AUTH_SECRET"] ?? "";
      const cookie = `${name}=${signToken(token, secret)}; better-auth.dont_remember=${signToken("true", secret)}`;
      const answer = await member
        .browser(server.origin, token)
        .fetch("/api/auth/get-session", { headers: { cookie } });
      expect(answer.status).toBe(200);
      expect(await leftMs(member)).toBeGreaterThan(6 * day);
    });
  });

  describe("B9: sign-out", () => {
    test("ends every session presented, a dead cookie before them or not", async () => {
      const member = await addMember(database);
      const other = await addMember(database);
      const tokens = [await member.session(), await other.session()];
      const secret = database.env["BETTER_AUTH_SECRET"] ?? "";
      const values = [
        "dead.AAAA",
        signToken("gone", secret),
        ...tokens.map((token) => signToken(token, secret)),
      ];
      const cookie = values.map((value) => `${name}=${value}`).join("; ");
      const client = member.browser(server.origin, tokens[0] ?? "");
      const answer = await post(client, "sign-out", {}, { cookie });
      expect([answer.status, await answer.json()]).toEqual([200, { success: true }]);
      expect([await sessionsOf(member), await sessionsOf(other)]).toEqual([[], []]);
    });

    test("finds the live one behind as many dead ones as a neighbour can toss", async () => {
      const member = await addMember(database);
      const token = await member.session();
      const secret = database.env["BETTER_AUTH_SECRET"] ?? "";
      const values = [...Array.from({ length: 60 }, (_, at) => `dead${at}.AAAA`), signToken(token, secret)];
      const cookie = values.map((value) => `${name}=${value}`).join("; ");
      const answer = await post(member.browser(server.origin, token), "sign-out", {}, { cookie });
      expect(await answer.json()).toEqual({ success: true });
      expect(await sessionsOf(member)).toEqual([]);
    });

    test("that ended nothing does not say it did", async () => {
      const member = await addMember(database);
      const client = member.browser(server.origin, "gone");
      const answer = await post(client, "sign-out", {});
      expect([answer.status, await answer.json()]).toEqual([200, { success: false }]);
      expect(answer.headers.getSetCookie().join()).toContain("Max-Age=0");
    });
  });

  test("B9: revoke-session says whether it ended one", async () => {
    const member = await addMember(database);
    const client = member.browser(server.origin, await member.session());
    const other = await member.session();
    for (const [token, status] of [
      [other, true],
      [other, false],
      ["unknown", false],
    ] as const)
      expect((await client.auth.revokeSession({ token })).data).toEqual({ status });
  });

  const damages = dialect === "sqlite" ? ["soon", 9e17, -9e17] : ["infinity", "-infinity"];
  test.each(damages.flatMap((value) => [["expires_at", value] as const, ["created_at", value] as const]))(
    "B10: a damaged instant is no session anywhere: %s %p",
    async (column, value) => {
      const member = await addMember(database);
      const healthy = await member.session();
      const token = await member.session({ ageMs: day });
      await database.query(`UPDATE session SET ${column} = $2 WHERE token = $1`, [token, value]);
      const client = member.browser(server.origin, token);
      expect(await verify(client)).toBe(401);
      expect(await (await client.fetch("/api/auth/get-session")).json()).toBeNull();
      expect((await client.fetch("/api/auth/list-sessions")).status).toBe(401);
      const again = member.browser(server.origin, token);
      expect((await again.fetch("/account")).status).toBe(303);
      const list = await member.browser(server.origin, healthy).fetch("/api/auth/list-sessions");
      expect(((await list.json()) as { id: string }[]).map(({ id }) => id)).toEqual([`s-${healthy}`]);
      expect(list.headers.get("x-total-count")).toBe("1");
    },
  );

  test.each([
    ["in a hundred years", 100 * 365 * day],
    ["in two hours", 2 * 60 * 60 * 1000],
  ])("B10: a session made %s has no end to be believed, and is none", async (_what, aheadMs) => {
    const member = await addMember(database);
    const healthy = await member.session();
    const token = await member.session({ ageMs: -aheadMs, leftMs: aheadMs + 7 * day });
    const client = member.browser(server.origin, token);
    expect(await verify(client)).toBe(401);
    expect(await (await client.fetch("/api/auth/get-session")).json()).toBeNull();
    expect((await member.browser(server.origin, token).fetch("/account")).status).toBe(303);
    const list = await member.browser(server.origin, healthy).fetch("/api/auth/list-sessions");
    expect(((await list.json()) as { id: string }[]).map(({ id }) => id)).toEqual([`s-${healthy}`]);
    expect(list.headers.get("x-total-count")).toBe("1");
  });

  test("B10: a refresh that loses against a revocation is no session, and no error", async () => {
    const answers: string[] = [];
    for (let round = 0; round < 20; round += 1) {
      const member = await addMember(database);
      const own = member.browser(server.origin, await member.session());
      const due = member.browser(server.origin, await member.session({ ageMs: 6 * day, leftMs: day }));
      const [refresh] = await Promise.all([
        due.fetch("/api/auth/get-session"),
        own.auth.revokeOtherSessions(),
      ]);
      const body: unknown = await refresh.json();
      answers.push(`${refresh.status} ${body === null ? "nobody" : typeof body}`);
      expect(await sessionsOf(member)).toHaveLength(1);
    }
    expect(answers.filter((answer) => answer !== "200 nobody" && answer !== "200 object")).toEqual([]);
  });
});
