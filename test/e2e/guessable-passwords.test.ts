import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { corpus } from "../support/corpus.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { attribute, createFormClient } from "../support/form-client.ts";

setDefaultTimeout(120_000);

const password = "correct horse battery";
const person = { name: "Annabelle Example", email: "annabelle@example.org" };
let people = 0;
const newEmail = () => `annabelle+${(people += 1)}@example.org`;

/** What is refused, with its code and what the pages say. */
const refused = [
  ["password1", "PASSWORD_TOO_COMMON", "Choose a less common password."],
  ["ｐａｓｓｗｏｒｄ", "PASSWORD_TOO_COMMON", "Choose a less common password."],
  ["QwErTyUiOp", "PASSWORD_TOO_COMMON", "Choose a less common password."],
  ["LATCHKEY", "PASSWORD_IS_SITE_NAME", "Choose one that is not this site's name."],
  ["Harbour Office", "PASSWORD_IS_SITE_NAME", "Choose one that is not this site's name."],
  ["ＡＮＮＡＢＥＬＬＥ", "PASSWORD_IS_PERSONAL", "Choose one that is not your name or email."],
  ["annabelle example", "PASSWORD_IS_PERSONAL", "Choose one that is not your name or email."],
  ["example.org", "PASSWORD_IS_PERSONAL", "Choose one that is not your name or email."],
] as const;

describe.each(dialects)("S3: on %s", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({ env: { ...database.env, LATCHKEY_BRAND_NAME: "Harbour Office" } });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });
  const post = async (client: ReturnType<typeof createClient>, path: string, body: object) => {
    const response = await client.fetch(`/api/auth${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const { code, message } = (await response.json()) as { code?: string; message?: string };
    return { status: response.status, code, message };
  };
  const member = async () => {
    const client = createClient(server.origin);
    const email = newEmail();
    expect(await post(client, "/sign-up/email", { ...person, email, password })).toMatchObject({
      status: 200,
    });
    return { client, email };
  };

  test("sign-up and change-password say which rule, by the API and on the page, and change nothing", async () => {
    const { client, email } = await member();
    const visitor = createFormClient(server.origin);
    const [{ count } = {}] = await database.query('SELECT count(*) AS count FROM "user"');
    const known = createFormClient(server.origin, server.origin, client.jar);
    for (const [bad, code, words] of refused) {
      const answer = { status: 400, code, message: expect.stringContaining("Choose another one.") };
      const newcomer = { ...person, email: newEmail(), password: bad };
      expect([bad, await post(createClient(server.origin), "/sign-up/email", newcomer)]).toEqual([
        bad,
        answer,
      ]);
      const change = { currentPassword: password, newPassword: bad };
      expect([bad, await post(client, "/change-password", change)]).toEqual([bad, answer]);

      const signUp = await visitor.post("/signup", newcomer);
      expect([signUp.status, signUp.headers.getSetCookie()]).toEqual([400, []]);
      expect(errorOf(signUp.html, "password")).toBe(words);
      const changed = await known.post("/account/password", change);
      expect(changed.status).toBe(400);
      expect(errorOf(changed.html, "new-password")).toBe(words);
    }
    expect(await database.query('SELECT count(*) AS count FROM "user"')).toEqual([{ count }]);
    expect(await post(createClient(server.origin), "/sign-in/email", { email, password })).toMatchObject({
      status: 200,
    });
    for (const line of server.logs().filter(({ reason }) => String(reason).startsWith("PASSWORD_IS")))
      expect(JSON.stringify(line)).not.toMatch(/harbour|example\.org/i);
  });

  test("controls pass: what only contains a name or a common password, and somebody else's name", async () => {
    const { client } = await member();
    let currentPassword = password;
    for (const newPassword of [
      "annabelle example 7",
      "my password is long",
      "Harbour Offices",
      "benjamin example",
    ]) {
      const answer = await post(client, "/change-password", { currentPassword, newPassword });
      expect([newPassword, answer.status]).toEqual([newPassword, 200]);
      currentPassword = newPassword;
    }
    const newcomer = { ...person, email: newEmail(), password: "annabelle2026" };
    expect(await post(createClient(server.origin), "/sign-up/email", newcomer)).toMatchObject({
      status: 200,
    });
  });

  test("change-password goes by the name that the account has by then", async () => {
    const { client } = await member();
    const change = { currentPassword: password, newPassword: "Wilhelmina" };
    await post(client, "/update-user", { name: "Wilhelmina Example" });
    expect(await post(client, "/change-password", change)).toMatchObject({ code: "PASSWORD_IS_PERSONAL" });
    await post(client, "/update-user", { name: "Ann" });
    expect(await post(client, "/change-password", change)).toMatchObject({ status: 200 });
  });

  test("a stranger is told nothing about an account, and a wrong current password is not told first", async () => {
    const { client } = await member();
    const change = { currentPassword: "not this one", newPassword: "annabelle example" };
    expect(await post(client, "/change-password", change)).toMatchObject({ code: "PASSWORD_IS_PERSONAL" });
    expect(await post(createClient(server.origin), "/change-password", change)).toMatchObject({
      status: 401,
    });
  });

  test("an account whose password is on the list still signs in, and out of it into a better one", async () => {
    const { email } = await member();
    for (const old of ["password1", "annabelle", "latchkey"]) {
      const hash = await Bun.password.hash(old, { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 });
      await database.query(
        'UPDATE account SET password = $1 WHERE user_id = (SELECT id FROM "user" WHERE email = $2)',
        [hash, email],
      );
      const client = createClient(server.origin);
      expect(await post(client, "/sign-in/email", { email, password: old })).toMatchObject({ status: 200 });
      const change = { currentPassword: old, newPassword: password };
      expect(await post(client, "/change-password", change)).toMatchObject({ status: 200 });
    }
  });
});

describe("S3: by the settings", () => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  test("LATCHKEY_PASSWORD_COMMON=allow takes the whole corpus; the default takes its controls alone", async () => {
    database = await openTestDatabase("sqlite");
    const accepted = async (passwords: readonly string[]) => {
      const statuses = new Set<number>();
      for (const password of passwords) {
        const response = await fetch(`${server.url}/api/auth/sign-up/email`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ name: "Bea", email: newEmail(), password }),
        });
        statuses.add(response.status);
      }
      return [...statuses];
    };
    server = await spawnLatchkey({ env: { ...database.env, LATCHKEY_PASSWORD_COMMON: "allow" } });
    expect(await accepted(corpus("passwords.txt"))).toEqual([200]);
    expect(await accepted(["latchkey", "ANNABELLE"])).toEqual([400]);
    await server.stop();
    server = await spawnLatchkey({ env: database.env });
    expect(await accepted(corpus("passwords.txt"))).toEqual([400]);
    expect(await accepted(corpus("passwords-ok.txt"))).toEqual([200]);
  });

  test("the page names every fault of a form at once", async () => {
    const visitor = createFormClient(server.origin);
    const { html } = await visitor.post("/signup", { name: "Ann", email: "ann", password: "password1" });
    expect([errorOf(html, "email"), errorOf(html, "password")]).toEqual([
      "Enter an address such as name@example.com.",
      "Choose a less common password.",
    ]);
  });
});

/** What stands at a field, without the word before it. */
function errorOf(html: string, id: string): string | undefined {
  return attribute(html, new RegExp(`id="${id}-error"[^>]*>(.*?)</p>`))
    ?.replaceAll(/<[^>]*>/g, "")
    .replaceAll("&#39;", "'")
    .replace(/^Error:\s*/, "");
}
