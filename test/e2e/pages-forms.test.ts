import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { attribute, createFormClient, type FormClient } from "../support/form-client.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery";
let people = 0;
const newEmail = () => `form-${(people += 1)}@example.com`;

describe.each(dialects)("forms on %s", (dialect) => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  const visitor = () => createFormClient(server.origin);
  const verify = async (client: FormClient) => (await client.get("/api/auth/verify")).status;
  const signUp = async () => {
    const client = visitor();
    const email = newEmail();
    const { status } = await client.post("/signup", { name: "Ann", email, password });
    expect(status).toBe(303);
    return { client, email };
  };
  const signIn = async (email: string, secret = password) => {
    const client = visitor();
    const answer = await client.post("/signin", { email, password: secret, rememberMe: "true" });
    return { client, answer };
  };

  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    server = await spawnLatchkey({ env: database.env });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  test("S45: sign up, in and out, and every answer that carries a session is not to be stored", async () => {
    const { client, email } = await signUp();
    expect(await verify(client)).toBe(200);
    const account = await client.get("/account");
    expect([account.status, account.headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(account.html).toContain(email);
    expect(account.html).not.toContain(
      decodeURIComponent(client.jar.header()).split("=")[1]?.split(".")[0] ?? "",
    );
    const stolen = client.jar.header();
    expect((await client.post("/signout", {})).location).toBe(`${server.origin}/signin`);
    expect(client.jar.get("better-auth.session_token")).toBeUndefined();
    expect((await visitor().get("/api/auth/verify", { cookie: stolen })).status).toBe(401);

    const { client: again, answer } = await signIn(email);
    expect([answer.status, answer.location, answer.headers.get("cache-control")]).toEqual([
      303,
      `${server.origin}/account`,
      "no-store",
    ]);
    expect(answer.headers.getSetCookie().join()).toMatch(
      /session_token=[^;]+; Max-Age=604800; Path=\/; HttpOnly; SameSite=Lax/,
    );
    expect(await verify(again)).toBe(200);
  });

  test("S8: the name, the password and the devices of an account change as the API's do", async () => {
    const { client, email } = await signUp();
    const [{ client: second }, { client: third }] = [await signIn(email), await signIn(email)];
    expect((await client.post("/account/profile", { name: "Bea" })).location).toBe(
      `${server.origin}/account`,
    );
    const account = await client.get("/account");
    expect(attribute(account.html, /name="name"[^>]* value="([^"]*)"/)).toBe("Bea");
    const ids = [...account.html.matchAll(/name="id" value="([^"]+)"/g)].map((match) => match[1] ?? "");
    expect(ids).toHaveLength(2);

    await client.post("/account/sessions/revoke", { id: ids[0] ?? "" });
    expect([await verify(second), await verify(third)].sort()).toEqual([200, 401]);
    await client.post("/account/sessions/revoke-others", {});
    expect([await verify(second), await verify(third), await verify(client)]).toEqual([401, 401, 200]);

    const { client: fourth } = await signIn(email);
    const changed = await client.post("/account/password", {
      currentPassword: password,
      newPassword: `${password}!`,
      revokeOtherSessions: "true",
    });
    expect(changed.status).toBe(303);
    expect([await verify(fourth), await verify(client)]).toEqual([401, 200]);
    expect((await signIn(email)).answer.status).toBe(401);
    expect((await signIn(email, `${password}!`)).answer.status).toBe(303);

    expect((await client.post("/account/delete", { password })).status).toBe(400);
    expect(await verify(client)).toBe(200);
    const deleted = await client.post("/account/delete", { password: `${password}!` });
    expect([deleted.status, deleted.location]).toEqual([303, `${server.origin}/account/deleted`]);
    expect((await client.get("/account/deleted")).html).toContain("Your account is deleted");
    expect(await verify(client)).toBe(401);
    expect((await signIn(email, `${password}!`)).answer.status).toBe(401);
  });

  test("S25: somebody else's device is not signed out", async () => {
    const [victim, attacker] = [await signUp(), await signUp()];
    const { html } = await (await signIn(victim.email)).client.get("/account");
    const id = attribute(html, /name="id" value="([^"]+)"/) ?? "";
    await attacker.client.post("/account/sessions/revoke", { id });
    expect(await verify(victim.client)).toBe(200);
  });

  test("S10: a wrong password and an unknown e-mail are answered alike", async () => {
    const { email } = await signUp();
    const answer = async (address: string) => {
      const { status, html } = await visitor().post("/signin", { email: address, password: "not this one" });
      return { status, html: html.replaceAll(address, "…") };
    };
    const wrong = await answer(email);
    expect(wrong).toEqual(await answer("nobody@example.com"));
    expect(wrong.status).toBe(401);
  });

  test("S64: a form leaves the log line that the API leaves", async () => {
    const { email } = await signUp();
    const { answer } = await signIn(email, "not this one");
    const line = server.logs().find(({ requestId }) => requestId === answer.headers.get("x-request-id"));
    expect(line).toMatchObject({
      event: "sign_in",
      outcome: "failure",
      reason: "wrong_password",
      clientAddress: "127.0.0.1",
    });
    expect(server.stderr()).not.toContain(password);
  });
});

describe("S34: a form that another site sends", () => {
  let database: TestDatabase;
  let server: RunningLatchkey;
  let client: FormClient;
  beforeAll(async () => {
    database = await openTestDatabase("sqlite");
    server = await spawnLatchkey({ env: database.env });
    client = createFormClient(server.origin);
    await client.post("/signup", { name: "Ann", email: "ann@example.com", password });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  const forms: readonly [string, Record<string, string>][] = [
    ["/signin", { email: "ann@example.com", password }],
    ["/signup", { name: "Eve", email: "eve@example.com", password }],
    ["/signout", {}],
    ["/account/profile", { name: "Eve" }],
    ["/account/password", { currentPassword: password, newPassword: "another good one" }],
    ["/account/sessions/revoke", { id: "x" }],
    ["/account/sessions/revoke-others", {}],
    ["/account/delete", { password }],
  ];
  const foreign: readonly [string, Record<string, string>][] = [
    ["an unlisted origin", { origin: "https://evil.example" }],
    ["the origin null", { origin: "null" }],
    ["a sibling port", { origin: "http://localhost:9999" }],
    ["a cross-site navigation", { "sec-fetch-site": "cross-site" }],
  ];
  test.each(
    forms.flatMap(([path, fields]) =>
      foreign.map(([name, headers]) => [path, name, fields, headers] as const),
    ),
  )("%s from %s is refused", async (path, _name, fields, headers) => {
    const { status, html, location, headers: answer } = await client.post(path, fields, headers);
    expect([status, location, answer.getSetCookie()]).toEqual([403, null, []]);
    expect(html).toContain("This was not accepted");
    expect((await client.get("/api/auth/verify")).status).toBe(200);
    expect((await client.get("/account")).html).toContain('value="Ann"');
  });
});
