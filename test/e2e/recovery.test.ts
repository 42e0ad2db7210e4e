import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { attribute, createFormClient } from "../support/form-client.ts";
import { addMember, type Member, memberPassword } from "../support/member.ts";
import { parseObject } from "../support/process-output.ts";

setDefaultTimeout(60_000);

const another = "a new good password";
const ended = "This link no longer works";

describe.each(dialects)("a link for a new password on %s", (dialect) => {
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
  const linkOf = async ({ email }: Pick<Member, "email">) => {
    const { exitCode, stdout, stderr } = await users(["recovery-link", email]);
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining("once, until")]);
    const url = new URL(stdout.trim());
    return { path: url.pathname + url.search, token: url.searchParams.get("token") ?? "", url, stderr };
  };
  const browser = () => createFormClient(server.origin);
  const setPassword = (token: string, newPassword = another) =>
    browser().post("/recover", { token, newPassword });
  const signIn = async (email: string, password = memberPassword) => {
    const { error } = await createClient(server.origin).auth.signIn.email({ email, password });
    return error?.status ?? 200;
  };
  const tokens = async () =>
    await database.query("SELECT id, identifier, value FROM verification ORDER BY id");
  const deadFor = async (member: Member, token: string) => {
    const shown = await browser().get(`/recover?token=${token}`);
    expect([shown.status, shown.html]).toEqual([400, expect.stringContaining(ended)]);
    expect(shown.html).not.toContain(member.email);
    const { status, html, location } = await setPassword(token, "one more password");
    expect({ status, location }).toEqual({ status: 400, location: null });
    expect(html).toContain(ended);
  };

  test("sets the password once, and ends every session and every other link", async () => {
    const member = await addMember(database);
    const device = member.browser(server.origin, await member.session());
    const other = await linkOf(member);
    const link = await linkOf(member);
    expect(link.url.origin).toBe(server.origin);
    expect(link.token).toMatch(/^[\w-]{43}$/);
    // Whoever only looks, as programs do that read mail, changes nothing.
    const before = await tokens();
    for (let look = 0; look < 3; look += 1) {
      const { status, html } = await browser().get(link.path);
      expect([status, attribute(html, /name="token" value="([^"]+)"/)]).toEqual([200, link.token]);
      expect(html).toContain(member.email);
    }
    expect((await fetch(server.origin + link.path, { method: "HEAD" })).status).toBe(200);
    expect(await tokens()).toEqual(before);
    expect((await device.fetch("/api/auth/verify")).status).toBe(200);
    const done = await setPassword(link.token);
    expect((await device.fetch("/api/auth/verify")).status).toBe(401);
    expect([done.status, done.location]).toEqual([303, `${server.origin}/signin`]);
    expect(done.headers.getSetCookie().some((cookie) => cookie.includes("session_token"))).toBe(false);
    expect([await signIn(member.email), await signIn(member.email, another)]).toEqual([401, 200]);
    await deadFor(member, link.token);
    await deadFor(member, other.token);
    expect(await signIn(member.email, another)).toBe(200);
  });

  test("lets one of two who use it at once set a password", async () => {
    for (let round = 0; round < 5; round += 1) {
      const member = await addMember(database);
      const { token } = await linkOf(member);
      const passwords = ["the first of passwords", "the second of passwords", "the third of passwords"];
      const answers = await Promise.all(passwords.map((password) => setPassword(token, password)));
      expect(answers.map(({ status }) => status).toSorted()).toEqual([303, 400, 400]);
      const signedIn = await Promise.all(passwords.map((password) => signIn(member.email, password)));
      expect(signedIn).toEqual(answers.map(({ status }) => (status === 303 ? 200 : 401)));
    }
  });

  test.each([
    {
      what: "a password that was set",
      end: (email: string) => users(["set-password", email], memberPassword),
    },
    { what: "another address", end: (email: string) => users(["set-email", email, `new.${email}`]) },
    { what: "a lock", end: (email: string) => users(["lock", email]) },
    { what: "a deletion", end: (email: string) => users(["delete", email, "--yes"]) },
  ])("ends by $what", async ({ end }) => {
    const member = await addMember(database);
    const { token } = await linkOf(member);
    expect((await end(member.email)).exitCode).toBe(0);
    await deadFor(member, token);
  });

  test("ends by a change of the password, and by time", async () => {
    const [ann, ben] = [await addMember(database), await addMember(database)];
    const [ofAnn, ofBen] = [await linkOf(ann), await linkOf(ben)];
    const client = ann.browser(server.origin, await ann.session());
    const changed = await client.fetch("/api/auth/change-password", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ currentPassword: memberPassword, newPassword: another }),
    });
    expect(changed.status).toBe(200);
    await deadFor(ann, ofAnn.token);
    expect((await browser().get(ofBen.path)).status).toBe(200);
    const instant = dialect === "sqlite" ? "$1" : "to_timestamp($1::float8 / 1000)";
    await database.query(`UPDATE verification SET expires_at = ${instant} WHERE identifier LIKE '%' || $2`, [
      Date.now() - 1,
      ben.id,
    ]);
    await deadFor(ben, ofBen.token);
    expect(await signIn(ben.email)).toBe(200);
    // What is over is cleared away by the next one.
    await linkOf(ann);
    expect((await tokens()).filter(({ identifier }) => String(identifier).includes(ben.id))).toEqual([]);
  });

  test("is kept as a hash, says when it ends, and is one event that does not have it", async () => {
    const member = await addMember(database);
    const { exitCode, stdout, stderr } = await users(["recovery-link", member.id, "--json"]);
    const printed = JSON.parse(stdout);
    expect([exitCode, printed]).toEqual([
      0,
      { userId: member.id, url: expect.any(String), expiresAt: expect.any(String) },
    ]);
    const left = Date.parse(printed.expiresAt) - Date.now();
    expect(left > 29 * 60_000 && left <= 30 * 60_000).toBe(true);
    const token = new URL(printed.url).searchParams.get("token") ?? "";
    expect(JSON.stringify(await tokens())).not.toContain(token);
    expect(JSON.stringify(await tokens())).not.toContain(Buffer.from(token, "base64url").toString("hex"));
    expect(stderr).not.toContain(token);
    expect(stderr.split("\n").flatMap(parseObject)).toEqual([
      expect.objectContaining({ event: "recovery_link", outcome: "success", userId: member.id }),
    ]);
    expect((await setPassword(token)).status).toBe(303);
    const line = () =>
      server.logs().find((one) => one["event"] === "password_recovery" && one["userId"] === member.id);
    while (line() === undefined) await Bun.sleep(10);
    expect(line()).toMatchObject({ outcome: "success", clientAddress: "127.0.0.1" });
    expect(server.stderr() + server.stdout()).not.toContain(token);
  });

  test("is not used up by a password that is refused", async () => {
    const member = await addMember(database);
    const { token } = await linkOf(member);
    for (const weak of ["", "short", "password1", member.email]) {
      const { status, html } = await setPassword(token, weak);
      expect([status, attribute(html, /name="token" value="([^"]+)"/)]).toEqual([400, token]);
      expect(html).toContain('aria-invalid="true"');
    }
    expect((await setPassword(token)).status).toBe(303);
  });

  test("works by BetterAuth's client", async () => {
    const member = await addMember(database);
    const { token } = await linkOf(member);
    const { auth } = createClient(server.origin);
    const refused = await auth.resetPassword({ token: `${token.slice(1)}x`, newPassword: another });
    expect(refused.error).toMatchObject({ status: 400, code: "INVALID_RECOVERY_TOKEN" });
    const { data, error } = await auth.resetPassword({ token, newPassword: another });
    expect([data, error]).toEqual([{ status: true }, null]);
    expect(await signIn(member.email, another)).toBe(200);
  });

  test("gives a password to whom another service left none", async () => {
    const member = await addMember(database);
    await database.query("DELETE FROM account WHERE user_id = $1", [member.id]);
    const { token } = await linkOf(member);
    expect((await setPassword(token)).status).toBe(303);
    expect(await signIn(member.email, another)).toBe(200);
  });

  test("is nobody else's to send, to read or to keep", async () => {
    const member = await addMember(database);
    const { path, token } = await linkOf(member);
    const { headers } = await browser().get(path);
    expect([headers.get("cache-control"), headers.get("referrer-policy")]).toEqual([
      "no-store",
      "strict-origin",
    ]);
    const foreign = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
    const forged = await browser().post("/recover", { token, newPassword: another }, foreign);
    expect(forged.status).toBe(403);
    // Whatever host a request names, the link leads to the server's own.
    const named = await browser().get(path, { host: "evil.example" });
    expect(named.html).not.toContain("evil.example");
    expect((await browser().get(`${path}&token=x`)).status).toBe(400);
    expect((await setPassword(token)).status).toBe(303);
  });

  test("is given to nobody who is locked, or not there", async () => {
    const member = await addMember(database);
    await users(["lock", member.email]);
    const locked = await users(["recovery-link", member.email]);
    expect([locked.exitCode, locked.stdout]).toEqual([2, ""]);
    expect(locked.stderr).toContain(
      `Error: ${member.email} is locked\nTry: latchkey users unlock ${member.email}\n`,
    );
    const unknown = await users(["recovery-link", "nobody@example.com"]);
    expect([unknown.exitCode, unknown.stdout]).toEqual([2, ""]);
    expect((await tokens()).filter(({ identifier }) => String(identifier).includes(member.id))).toEqual([]);
  });
});

describe("a link for a new password", () => {
  test("leads to BETTER_AUTH_URL, and is not made where that says nothing", async () => {
    const database = await openTestDatabase("sqlite");
    await runLatchkey(["migrate"], { env: database.env });
    const member = await addMember(database);
    const run = (env: Readonly<Record<string, string>>) =>
      runLatchkey(["users", "recovery-link", member.email], { env: { ...database.env, ...env } });
    const named = await run({ BETTER_AUTH_URL: "https://auth.example.com", BETTER_AUTH_TRUSTED_ORIGINS: "" });
    expect(named.stdout).toStartWith("https://auth.example.com/recover?token=");
    const unknown = await run({ PORT: "0" });
    expect([unknown.exitCode, unknown.stdout]).toEqual([2, ""]);
    expect(unknown.stderr).toContain("BETTER_AUTH_URL: is not set");
    await database.close();
  });

  test("S13: is tried ten times in a quarter of an hour", async () => {
    const database = await openTestDatabase("sqlite");
    const server = await spawnLatchkey({ env: { ...database.env, LATCHKEY_LIMITS: "on" } });
    const client = createFormClient(server.origin);
    const statuses: number[] = [];
    for (let tried = 0; tried < 12; tried += 1) {
      const token = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
      statuses.push((await client.post("/recover", { token, newPassword: another })).status);
    }
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 400), 429, 429]);
    await server.stop();
    await database.close();
  });
});
