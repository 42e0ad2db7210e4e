import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient, type TestClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";

setDefaultTimeout(60_000);

const day = 24 * 60 * 60 * 1000;
const password = "correct horse battery";
/** The docs site, which is on the list by default. */
const requestOrigin = "http://localhost:3000";

let people = 0;
const newEmail = () => `person-${(people += 1)}@example.com`;

describe.each(dialects)("the real client against the executable on %s", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  const visitor = () => createClient(server.origin, { requestOrigin });
  const verify = (client: TestClient) => client.fetch("/api/auth/verify");
  const signUp = async (
    email = newEmail(),
  ): Promise<{ client: TestClient; email: string; userId: string }> => {
    const client = visitor();
    const { data, error } = await client.auth.signUp.email({ email, password, name: "Ann Example" });
    if (error !== null) throw new Error(`sign-up: ${JSON.stringify(error)}`);
    return { client, email, userId: data.user.id };
  };
  const tokenOf = (client: TestClient) =>
    decodeURIComponent(client.jar.get("better-auth.session_token") ?? "").split(".")[0] ?? "";
  const instant = (at: number) => (dialect === "sqlite" ? at : new Date(at).toISOString());

  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({ env: database.env });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  test("S24: signs up, is recognised, signs out and in again, before and after a restart", async () => {
    const { client, email, userId } = await signUp();
    expect((await client.auth.getSession()).data?.user).toMatchObject({
      email,
      name: "Ann Example",
      emailVerified: false,
    });
    expect((await verify(client)).status).toBe(200);

    expect(await server.stop()).toBe(0);
    server = await spawnLatchkey({ env: database.env });
    const { port } = new URL(server.origin);
    const moved = createClient(server.origin, { requestOrigin, jar: client.jar });
    expect(Number(port)).toBeGreaterThan(0);
    expect(await (await verify(moved)).json()).toMatchObject({ valid: true, user: { id: userId, email } });

    const stolen = moved.jar.header();
    expect((await moved.auth.signOut()).data).toMatchObject({ success: true });
    expect((await moved.auth.getSession()).data).toBeNull();
    const replayed = await fetch(`${server.origin}/api/auth/verify`, { headers: { cookie: stolen } });
    expect([replayed.status, ((await replayed.json()) as { code: string }).code]).toEqual([
      401,
      "SESSION_EXPIRED",
    ]);

    expect((await moved.auth.signIn.email({ email, password })).data?.user.id).toBe(userId);
    expect((await verify(moved)).status).toBe(200);
  });

  test("S12, S47: refuses an e-mail that is taken, whatever its case", async () => {
    const { email } = await signUp();
    const { error } = await visitor().auth.signUp.email({
      email: email.toUpperCase(),
      password,
      name: "Other",
    });
    expect(error).toMatchObject({ status: 422, code: "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL" });
  });

  test("S15: lets one of twelve sign-ups at once have an e-mail", async () => {
    const email = newEmail();
    const results = await Promise.all(
      Array.from({ length: 12 }, () => visitor().auth.signUp.email({ email, password, name: "Racer" })),
    );
    const outcomes = results
      .map(({ error }) => (error === null ? "created" : `${error.status} ${error.code}`))
      .sort();
    expect(outcomes).toEqual([
      ...Array<string>(11).fill("422 USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL"),
      "created",
    ]);
    const rows = await database.query(
      `SELECT (SELECT count(*) FROM "user" WHERE email = $1) AS users, ` +
        `(SELECT count(*) FROM account a JOIN "user" u ON u.id = a.user_id WHERE u.email = $1) AS accounts, ` +
        `(SELECT count(*) FROM session s JOIN "user" u ON u.id = s.user_id WHERE u.email = $1) AS sessions`,
      [email],
    );
    expect(Object.values(rows[0] ?? {}).map(Number)).toEqual([1, 1, 1]);
  });

  test("S10: answers a wrong password and an unknown e-mail alike, byte for byte", async () => {
    const { email } = await signUp();
    const answer = async (body: object) => {
      const response = await visitor().fetch("/api/auth/sign-in/email", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      const headers = [...response.headers].filter(([name]) => name !== "date" && name !== "x-request-id");
      return { status: response.status, headers, body: await response.text() };
    };
    const wrong = await answer({ email, password: `${password}x` });
    expect(wrong).toEqual(await answer({ email: "nobody@example.com", password }));
    expect(wrong.status).toBe(401);
    expect(JSON.parse(wrong.body)).toEqual({
      code: "INVALID_EMAIL_OR_PASSWORD",
      message: "Invalid email or password",
    });
  });

  test("S19: gives every session a token of its own, of 190 random bits", async () => {
    const tokens = await Promise.all(Array.from({ length: 8 }, async () => tokenOf((await signUp()).client)));
    expect(new Set(tokens).size).toBe(tokens.length);
    for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9]{32}$/);
  });

  test.each(["signIn", "signUp"] as const)(
    "S20: %s makes a new session and ends the one it was asked with, whosever that was",
    async (way) => {
      const before = await signUp();
      const [cookie, old] = [before.client.jar.header(), tokenOf(before.client)];
      const email = way === "signIn" ? (await signUp()).email : newEmail();
      const { error } =
        way === "signIn"
          ? await before.client.auth.signIn.email({ email, password })
          : await before.client.auth.signUp.email({ email, password, name: "Ben" });
      expect(error).toBeNull();
      expect(tokenOf(before.client)).not.toBe(old);
      expect(await (await verify(before.client)).json()).toMatchObject({ user: { email } });
      const replayed = await fetch(`${server.origin}/api/auth/verify`, { headers: { cookie } });
      expect(await replayed.json()).toMatchObject({ code: "SESSION_EXPIRED" });
    },
  );

  test("S21: adopts no token that somebody planted, signed or not", async () => {
    const { email } = await signUp();
    for (const planted of [`planted${"x".repeat(25)}.${"A".repeat(43)}%3D`, "planted"]) {
      const headers = {
        cookie: `better-auth.session_token=${planted}`,
        "content-type": "application/json",
        origin: requestOrigin,
      };
      const body = JSON.stringify({ email, password });
      const signedIn = await fetch(`${server.origin}/api/auth/sign-in/email`, {
        method: "POST",
        headers,
        body,
      });
      expect(signedIn.headers.getSetCookie().join()).not.toContain("planted");
      expect((await fetch(`${server.origin}/api/auth/verify`, { headers })).status).toBe(401);
      expect(await database.query("SELECT 1 FROM session WHERE token LIKE 'planted%'")).toEqual([]);
    }
  });

  test("S25, S28: lists sessions by id, at any age, and revokes one, the others, and all", async () => {
    const { client, email } = await signUp();
    const [second, third] = [visitor(), visitor()];
    for (const other of [second, third]) await other.auth.signIn.email({ email, password });
    await database.query("UPDATE session SET created_at = $1 WHERE token = $2", [
      instant(Date.now() - 3 * day),
      tokenOf(client),
    ]);
    const listed = (await client.auth.listSessions()).data ?? [];
    expect(listed.map((session) => session.token).sort()).toEqual(listed.map((session) => session.id).sort());
    expect(listed).toHaveLength(3);
    expect(JSON.stringify(listed)).not.toContain(tokenOf(second));

    const secondId = ((await (await verify(second)).json()) as { session: { id: string } }).session.id;
    expect((await client.auth.revokeSession({ token: secondId })).data).toEqual({ status: true });
    expect((await verify(second)).status).toBe(401);
    expect((await verify(third)).status).toBe(200);

    expect((await client.auth.revokeOtherSessions()).data).toEqual({ status: true });
    expect([(await verify(third)).status, (await verify(client)).status]).toEqual([401, 200]);
    const cookie = client.jar.header();
    expect((await client.auth.revokeSessions()).data).toEqual({ status: true });
    expect((await fetch(`${server.origin}/api/auth/verify`, { headers: { cookie } })).status).toBe(401);
    expect(client.jar.get("better-auth.session_token")).toBeUndefined();
  });

  test("S25: revokes nobody else's session", async () => {
    const [victim, attacker] = [await signUp(), await signUp()];
    const { session } = (await (await verify(victim.client)).json()) as { session: { id: string } };
    for (const token of [session.id, tokenOf(victim.client)]) {
      expect((await attacker.client.auth.revokeSession({ token })).data).toEqual({ status: false });
    }
    expect((await verify(victim.client)).status).toBe(200);
  });

  test("S8: changes the password and ends the other sessions", async () => {
    const { client, email } = await signUp();
    const other = visitor();
    await other.auth.signIn.email({ email, password });
    const wrong = await client.auth.changePassword({
      currentPassword: "not this one",
      newPassword: "another good one",
    });
    expect(wrong.error).toMatchObject({ status: 400, code: "INVALID_PASSWORD" });
    const right = await client.auth.changePassword({
      currentPassword: password,
      newPassword: "another good one",
      revokeOtherSessions: true,
    });
    expect(right.error).toBeNull();
    expect([(await verify(other)).status, (await verify(client)).status]).toEqual([401, 200]);
    expect((await visitor().auth.signIn.email({ email, password })).error).toMatchObject({ status: 401 });
    expect((await visitor().auth.signIn.email({ email, password: "another good one" })).error).toBeNull();
  });

  test("does not remember who asks not to be: a day, and a cookie without Max-Age", async () => {
    const { email } = await signUp();
    const response = await visitor().fetch("/api/auth/sign-in/email", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email, password, rememberMe: false }),
    });
    const cookie = response.headers
      .getSetCookie()
      .find((line) => line.startsWith("better-auth.session_token="));
    expect(cookie).not.toMatch(/max-age|expires/i);
    const { token } = (await response.json()) as { token: string };
    const [row] = await database.query("SELECT expires_at FROM session WHERE token = $1", [token]);
    expect(Math.abs(Number(row?.["expires_at"]) - (Date.now() + day))).toBeLessThan(60_000);
  });

  test("remembers again who asks to be after not having been", async () => {
    const { email } = await signUp();
    const client = visitor();
    await client.auth.signIn.email({ email, password, rememberMe: false });
    expect(client.jar.get("better-auth.dont_remember")).toBeDefined();
    const first = client.jar.header();
    await client.auth.signIn.email({ email, password });
    expect(client.jar.get("better-auth.dont_remember")).toBeUndefined();
    // The session that the sign-in came with has ended.
    const replayed = await fetch(`${server.url}/api/auth/verify`, { headers: { cookie: first } });
    expect([replayed.status, (await verify(client)).status]).toEqual([401, 200]);
  });

  test("clears the cookie of a session that revokes itself", async () => {
    const { client } = await signUp();
    const { session } = (await (await verify(client)).json()) as { session: { id: string } };
    expect((await client.auth.revokeSession({ token: session.id })).data).toEqual({ status: true });
    expect(client.jar.get("better-auth.session_token")).toBeUndefined();
  });

  test("S23: refreshes a session after the update age, and not before", async () => {
    const { client } = await signUp();
    const expiry = async () =>
      Number(
        (await database.query("SELECT expires_at FROM session WHERE token = $1", [tokenOf(client)]))[0]?.[
          "expires_at"
        ],
      );
    const first = await expiry();
    expect((await client.fetch("/api/auth/get-session")).headers.getSetCookie()).toEqual([]);
    expect(await expiry()).toBe(first);
    const aged = Date.now() + 5.5 * day;
    await database.query("UPDATE session SET expires_at = $1 WHERE token = $2", [
      instant(aged),
      tokenOf(client),
    ]);
    expect((await verify(client)).headers.getSetCookie()).toEqual([]);
    const refreshed = await client.fetch("/api/auth/get-session");
    expect(refreshed.headers.getSetCookie().join()).toContain("Max-Age=604800");
    expect(await expiry()).toBeGreaterThan(aged + day);
  });

  test("S23: knows no expired session", async () => {
    const { client } = await signUp();
    await database.query("UPDATE session SET expires_at = $1 WHERE token = $2", [
      instant(Date.now() - 1),
      tokenOf(client),
    ]);
    expect(await (await verify(client)).json()).toMatchObject({ valid: false, code: "SESSION_EXPIRED" });
    expect((await client.auth.getSession()).data).toBeNull();
    expect(client.jar.get("better-auth.session_token")).toBeUndefined();
  });

  test("S22: ends a session at its absolute lifetime, however often it was used", async () => {
    const { client } = await signUp();
    const age = (days: number) =>
      database.query("UPDATE session SET created_at = $1, expires_at = $2 WHERE token = $3", [
        instant(Date.now() - days * day),
        instant(Date.now() + 2 * day),
        tokenOf(client),
      ]);
    await age(27);
    const refreshed = (await client.auth.getSession()).data;
    const end = refreshed?.session.expiresAt.getTime() ?? 0;
    expect(Math.abs(end - (Date.now() + 3 * day))).toBeLessThan(60_000);
    const again = await client.fetch("/api/auth/get-session");
    expect(again.headers.getSetCookie()).toEqual([]);
    await age(30.01);
    expect((await verify(client)).status).toBe(401);
    expect((await client.auth.getSession()).data).toBeNull();
  });

  test("S25: deletes an account only with its password, and every session with it", async () => {
    const { client, email } = await signUp();
    const other = visitor();
    await other.auth.signIn.email({ email, password });
    expect((await client.auth.deleteUser()).error).toMatchObject({ status: 400 });
    expect((await client.auth.deleteUser({ password: "not this one" })).error).toMatchObject({ status: 400 });
    expect((await verify(other)).status).toBe(200);
    expect((await client.auth.deleteUser({ password })).error).toBeNull();
    expect((await verify(other)).status).toBe(401);
    expect((await visitor().auth.signIn.email({ email, password })).error).toMatchObject({ status: 401 });
  });
});
