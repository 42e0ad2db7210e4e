import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { attribute, createFormClient } from "../support/form-client.ts";
import { addMember } from "../support/member.ts";
import { parseObject } from "../support/process-output.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery";
const disabled = "EMAIL_PASSWORD_SIGN_UP_DISABLED";
const byInvitation = "Sign-up is by invitation";

describe.each(dialects)("an invitation on %s", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({
      env: { ...database.env, LATCHKEY_SIGN_UP: "invited", LATCHKEY_SIGN_UP_DOMAINS: "example.com" },
    });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });
  let people = 0;
  const newEmail = (domain = "example.com") => `guest-${(people += 1)}@${domain}`;
  const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    runLatchkey(["invite", ...args], {
      env: { ...database.env, BETTER_AUTH_URL: server.origin, LATCHKEY_SIGN_UP: "invited", ...env },
    });
  const invite = async (...args: string[]) => {
    const { exitCode, stdout } = await run(args);
    expect(exitCode).toBe(0);
    const url = new URL(stdout.trim());
    return { url, path: url.pathname + url.search, token: url.searchParams.get("invitation") ?? "" };
  };
  const signUp = async (body: object) => {
    const response = await createClient(server.origin).fetch("/api/auth/sign-up/email", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "Ann", email: newEmail(), password, ...body }),
    });
    const text = await response.text();
    return { status: response.status, text, code: codeIn(response, text) };
  };
  const browser = () => createFormClient(server.origin);
  const usersOf = async (email: string) =>
    Number((await database.query('SELECT count(*) AS n FROM "user" WHERE email = $1', [email]))[0]?.["n"]);

  test("makes one account by the page, where nobody else signs up", async () => {
    const { url, path, token } = await invite();
    expect([url.origin, token]).toEqual([server.origin, expect.stringMatching(/^[\w-]{43}$/)]);
    const closed = await browser().get("/signup");
    expect([closed.status, closed.html]).toEqual([403, expect.stringContaining(byInvitation)]);
    expect((await browser().get("/signin")).html).not.toContain("/signup");
    const page = browser();
    for (let look = 0; look < 2; look += 1) {
      const { status, html, headers } = await page.get(path);
      expect([status, attribute(html, /name="invitation" value="([^"]+)"/)]).toEqual([200, token]);
      expect([headers.get("cache-control"), headers.get("referrer-policy")]).toEqual([
        "no-store",
        "strict-origin",
      ]);
    }
    const email = newEmail();
    const done = await page.post("/signup", { name: "Ann", email, password, invitation: token });
    expect([done.status, await usersOf(email)]).toEqual([303, 1]);
    const again = await browser().get(path);
    expect([again.status, again.html]).toEqual([403, expect.stringContaining(byInvitation)]);
    const other = newEmail();
    const refused = await browser().post("/signup", {
      name: "Ben",
      email: other,
      password,
      invitation: token,
    });
    expect([refused.status, await usersOf(other)]).toEqual([403, 0]);
  });

  test("opened by somebody signed in, says who they are, and is kept while they sign out", async () => {
    const { path, token } = await invite();
    const page = browser();
    const member = await addMember(database);
    await page.post("/signin", { email: member.email, password });
    const callbackUrl = `${server.origin}/account?from=invitation`;
    const shown = await page.get(`${path}&callbackUrl=${encodeURIComponent(callbackUrl)}`);
    expect([shown.status, shown.headers.get("referrer-policy")]).toEqual([200, "strict-origin"]);
    expect(shown.html).toContain("You are signed in");
    expect(shown.html).toContain(member.email);
    expect(shown.html).not.toContain('type="password"');
    expect(attribute(shown.html, /name="invitation" value="([^"]+)"/)).toBe(token);
    const left = await page.post("/signout", { invitation: token, callbackUrl });
    const there = new URL(left.location ?? "");
    expect([left.status, there.origin, there.pathname, Object.fromEntries(there.searchParams)]).toEqual([
      303,
      server.origin,
      "/signup",
      { invitation: token, callbackUrl },
    ]);
    const form = await page.get(there.pathname + there.search);
    expect([form.status, attribute(form.html, /name="invitation" value="([^"]+)"/)]).toEqual([200, token]);
    const email = newEmail();
    const done = await page.post("/signup", { name: "Ann", email, password, invitation: token, callbackUrl });
    expect([done.status, done.location, await usersOf(email)]).toEqual([303, callbackUrl, 1]);
    // One that is used up is none to whoever has used it.
    const again = await page.get(path);
    expect([again.status, again.location]).toEqual([303, `${server.origin}/account`]);
  });

  test("is refused in one way, whatever is wrong with it", async () => {
    const { token: used } = await invite();
    expect((await signUp({ invitation: used })).status).toBe(200);
    const { token: old } = await invite("--for", "1m");
    const instant = dialect === "sqlite" ? "$1" : "to_timestamp($1::float8 / 1000)";
    await database.query(`UPDATE verification SET expires_at = ${instant}`, [Date.now() - 1]);
    const { token: named } = await invite("--email", newEmail());
    const answers = [
      await signUp({}),
      await signUp({ invitation: "" }),
      await signUp({ invitation: "x".repeat(43) }),
      await signUp({ invitation: used }),
      await signUp({ invitation: old }),
      await signUp({ invitation: named }),
      // Somebody who has an account: nobody learns of that, either.
      await signUp({ email: (await addMember(database)).email }),
    ];
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 400, code: disabled });
    const pages = await Promise.all(
      ["", "x", used, old].map((token) => browser().get(`/signup?invitation=${token}`)),
    );
    expect(new Set(pages.map(({ status, html }) => `${status} ${html}`)).size).toBe(1);
    expect((await signUp({ invitation: 1 })).code).toBe("VALIDATION_ERROR");
  });

  test("makes one account of many at once", async () => {
    for (let round = 0; round < 4; round += 1) {
      const { token } = await invite();
      const emails = [newEmail(), newEmail(), newEmail()];
      const answers = await Promise.all(emails.map((email) => signUp({ email, invitation: token })));
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400, 400]);
      expect(await Promise.all(emails.map(usersOf))).toEqual(
        answers.map(({ status }) => (status === 200 ? 1 : 0)),
      );
      for (const { status, code } of answers) expect(code).toBe(status === 200 ? undefined : disabled);
    }
  });

  test("is not used up where no account is made", async () => {
    const { token: invitation } = await invite();
    const taken = (await addMember(database)).email;
    expect([
      (await signUp({ invitation, password: "short" })).code,
      (await signUp({ invitation, email: taken })).code,
      (await signUp({ invitation, email: newEmail("elsewhere.example") })).code,
      (await signUp({ invitation, name: " " })).code,
    ]).toEqual([
      "PASSWORD_TOO_SHORT",
      "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL",
      "EMAIL_DOMAIN_NOT_ALLOWED",
      "VALIDATION_ERROR",
    ]);
    expect((await signUp({ invitation })).status).toBe(200);
    expect((await signUp({ invitation })).code).toBe(disabled);
  });

  test("for an address is for that one alone, of whichever domain", async () => {
    const email = newEmail("elsewhere.example");
    const { path, token } = await invite("--email", email.toUpperCase());
    const { html } = await browser().get(path);
    expect(attribute(html, /<input type="email"[^>]*value="([^"]+)"/)).toBe(email);
    expect(html).toMatch(/<input type="email"[^>]* readonly/);
    expect((await signUp({ invitation: token })).code).toBe(disabled);
    const weak = await browser().post("/signup", {
      name: "Ann",
      email,
      password: "short",
      invitation: token,
    });
    expect(weak.status).toBe(400);
    expect(weak.html).toContain('id="password-error"');
    expect(weak.html).not.toContain('id="email-error"');
    const done = await browser().post("/signup", { name: "Ann", email, password, invitation: token });
    expect([done.status, await usersOf(email)]).toEqual([303, 1]);
    const again = await run(["--email", email]);
    expect([again.exitCode, again.stderr]).toEqual([2, expect.stringContaining("has an account already")]);
  });

  test("is kept as a hash, says when it ends, and is one event that does not have it", async () => {
    const email = newEmail();
    const { exitCode, stdout, stderr } = await run(["--email", email, "--for", "2h", "--json"]);
    const printed = JSON.parse(stdout);
    expect([exitCode, printed]).toEqual([
      0,
      { id: expect.any(String), url: expect.any(String), email, expiresAt: expect.any(String) },
    ]);
    const left = Date.parse(printed.expiresAt) - Date.now();
    expect(left > 119 * 60_000 && left <= 120 * 60_000).toBe(true);
    const token = new URL(printed.url).searchParams.get("invitation") ?? "";
    expect(JSON.stringify(await database.query("SELECT * FROM verification"))).not.toContain(token);
    expect(stderr.split("\n").flatMap(parseObject)).toEqual([
      expect.objectContaining({
        event: "invitation",
        outcome: "success",
        operator: process.getuid?.(),
        invitation: printed.id,
      }),
    ]);
    expect((await signUp({ email, invitation: token })).status).toBe(200);
    expect(stderr + server.stderr() + server.stdout()).not.toContain(token);
  });

  test("works by BetterAuth's client", async () => {
    const { token: invitation } = await invite();
    const { auth } = createClient(server.origin);
    const body = { email: newEmail(), password, name: "Ann", invitation };
    expect((await auth.signUp.email(body)).error).toBeNull();
  });
});

describe("latchkey invite", () => {
  test.each([
    { args: ["--for", "30s"], says: "30s is too short" },
    { args: ["--for", "91d"], says: "is too long" },
    { args: ["--for", "soon"], says: "is not a duration" },
    { args: ["--email", "ann"], says: "email: Invalid email" },
    { args: [], env: { LATCHKEY_SIGN_UP: "closed" }, says: "LATCHKEY_SIGN_UP: is closed" },
    { args: [], env: { PORT: "0" }, says: "BETTER_AUTH_URL: is not set" },
    { args: ["ann@example.com"], says: "too many arguments" },
  ])("refuses $args with exit status 2, the reason, and nothing made", async ({ args, env, says }) => {
    const database = await openTestDatabase("sqlite");
    await runLatchkey(["migrate"], { env: database.env });
    const { exitCode, stdout, stderr } = await runLatchkey(["invite", ...args], {
      env: { ...database.env, LATCHKEY_SIGN_UP: "invited", ...env },
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(says);
    expect(stderr).toMatch(/^Error: .+\nTry: .+\n$/m);
    expect(await database.query("SELECT * FROM verification")).toEqual([]);
    await database.close();
  });

  test("makes links that wait while sign-up is closed, and that nobody needs while it is open", async () => {
    const database = await openTestDatabase("sqlite");
    const start = (signUp: string) =>
      spawnLatchkey({
        env: { ...database.env, LATCHKEY_SIGN_UP: signUp, LATCHKEY_SIGN_UP_DOMAINS: "example.com" },
      });
    const signUp = async ({ origin }: RunningLatchkey, body: object) => {
      const response = await createClient(origin).fetch("/api/auth/sign-up/email", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name: "Ann", password, ...body }),
      });
      return codeIn(response, await response.text());
    };
    const open = await start("open");
    const env = { ...database.env, BETTER_AUTH_URL: open.origin };
    const email = "ann@elsewhere.example";
    const { stdout, stderr } = await runLatchkey(["invite", "--email", email], { env });
    expect(stderr).toContain("LATCHKEY_SIGN_UP is open");
    const path = new URL(stdout.trim());
    const invitation = path.searchParams.get("invitation") ?? "";
    expect(await signUp(open, { email })).toBe("EMAIL_DOMAIN_NOT_ALLOWED");
    expect(await signUp(open, { email: "ben@example.com", invitation: "of nobody" })).toBeUndefined();
    await open.stop();
    const closed = await start("closed");
    expect(await signUp(closed, { email, invitation })).toBe("EMAIL_DOMAIN_NOT_ALLOWED");
    expect(await signUp(closed, { email: "carl@example.com", invitation })).toBe(disabled);
    const page = await createFormClient(closed.origin).get(path.pathname + path.search);
    expect([page.status, page.html]).toEqual([403, expect.stringContaining("Sign-up is closed")]);
    await closed.stop();
    const again = await start("open");
    expect(await signUp(again, { email, invitation })).toBeUndefined();
    await again.stop();
    await database.close();
  });
});

function codeIn({ ok }: Response, text: string): string | undefined {
  return ok ? undefined : (JSON.parse(text) as { code?: string }).code;
}
