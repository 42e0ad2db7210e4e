import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient, type TestClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { createFormClient } from "../support/form-client.ts";
import { linkIn, type Mailbox, openMailbox, type ReceivedMail } from "../support/mailbox.ts";
import { addMember, memberPassword } from "../support/member.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery";
const another = "a new good password";
const newEmail = () => `n-${crypto.randomUUID()}@example.com`;
const codeIn = ({ text }: ReceivedMail) => /^(\d{4} \d{4})$/m.exec(text)?.[1] ?? "";
const tokenIn = (mail: ReceivedMail) => linkIn(mail).searchParams.get("token") ?? "";

const auth = (server: RunningLatchkey) => createClient(server.origin).auth;

describe.each(dialects)("addresses, by mail, on %s", (dialect) => {
  let database: TestDatabase;
  let mailbox: Mailbox;
  let optional: RunningLatchkey;
  let required: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    mailbox = await openMailbox();
    const env = { ...database.env, ...mailbox.env, LATCHKEY_LIMITS: "off" };
    optional = await spawnLatchkey({ env: { ...env, LATCHKEY_EMAIL_VERIFICATION: "optional" } });
    required = await spawnLatchkey({ env: { ...env, LATCHKEY_EMAIL_VERIFICATION: "required" } });
  });
  afterAll(async () => {
    await Promise.all([optional.stop(), required.stop()]);
    await mailbox.close();
    await database.close();
  });
  const signIn = async (server: RunningLatchkey, email: string, by = password) => {
    const { error } = await auth(server).signIn.email({ email, password: by });
    return error?.code ?? 200;
  };
  const post = async (server: RunningLatchkey, path: string, body: object, cookie = "") => {
    const response = await fetch(`${server.url}/api/auth/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: server.origin, ...(cookie && { cookie }) },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const verifiedOf = async (client: TestClient) => (await client.auth.getSession()).data?.user.emailVerified;

  /** Somebody who has shown to have the address. */
  const confirmed = async () => {
    const member = await addMember(database);
    await database.query(
      `UPDATE "user" SET email_verified = ${dialect === "sqlite" ? "1" : "true"} WHERE id = $1`,
      [member.id],
    );
    return member;
  };

  test("S12: a sign-up with required confirmation is answered alike for a taken address, whose owner hears of it", async () => {
    const member = await addMember(database);
    const fresh = newEmail();
    const answers = await Promise.all(
      [fresh, member.email].map((email) => post(required, "sign-up/email", { name: "Ann", email, password })),
    );
    const shapes = answers.map(({ status, body }) => {
      const user = body["user"] as Record<string, unknown>;
      return {
        status,
        token: body["token"],
        keys: Object.keys(user),
        name: user["name"],
        id: typeof user["id"],
      };
    });
    expect(shapes[1]).toEqual(shapes[0]);
    expect(shapes[0]).toMatchObject({ status: 200, token: null });
    const toOwner = await mailbox.next(member.email);
    expect(toOwner.subject).toBe("You have an account at latchkey already");
    expect(await signIn(required, fresh)).toBe("EMAIL_NOT_VERIFIED");
    expect((await mailbox.next(fresh)).subject).toBe("Confirm your address for latchkey");
  });

  test("an address is confirmed by the mail's link, which only asks when it is opened", async () => {
    const email = newEmail();
    await auth(required).signUp.email({ name: "Ann", email, password });
    const mail = await mailbox.next(email);
    const browser = createFormClient(required.origin);
    const link = linkIn(mail);
    expect(link.origin).toBe(required.origin);
    for (let look = 0; look < 3; look += 1) {
      const shown = await browser.get(link.pathname + link.search);
      expect([shown.status, shown.html]).toEqual([200, expect.stringContaining(email)]);
    }
    expect(await signIn(required, email)).toBe("EMAIL_NOT_VERIFIED");
    const done = await browser.post("/confirm", { token: tokenIn(mail) });
    expect([done.status, done.location]).toEqual([303, `${required.origin}/signin`]);
    expect(await signIn(required, email)).toBe(200);
    expect((await browser.post("/confirm", { token: tokenIn(mail) })).status).toBe(400);
  });

  test("an address is confirmed by the mail's code, on another device, once", async () => {
    const email = newEmail();
    await auth(required).signUp.email({ name: "Ann", email, password });
    const code = codeIn(await mailbox.next(email));
    expect(code).toMatch(/^\d{4} \d{4}$/);
    const wrong = code.endsWith("0") ? code.replace(/0$/, "1") : code.replace(/\d$/, "0");
    const browser = createFormClient(required.origin);
    expect((await browser.post("/verify", { email, code: wrong })).status).toBe(400);
    expect((await post(required, "verify-email-code", { email: newEmail(), code })).body["code"]).toBe(
      "INVALID_CODE",
    );
    expect((await browser.post("/verify", { email, code })).status).toBe(303);
    expect(await signIn(required, email)).toBe(200);
    expect((await post(required, "verify-email-code", { email, code })).body["code"]).toBe("INVALID_CODE");
  });

  test("BetterAuth's client confirms, and verify says so at once; nobody is mailed who is confirmed", async () => {
    const email = newEmail();
    const client = createClient(optional.origin);
    await client.auth.signUp.email({ name: "Ann", email, password });
    expect(await verifiedOf(client)).toBe(false);
    await mailbox.next(email);
    const asked = await client.auth.sendVerificationEmail({ email, callbackURL: "/account" });
    expect(asked.data).toEqual({ status: true });
    const token = tokenIn(await mailbox.next(email, 2));
    const used = await client.auth.verifyEmail({ query: { token } });
    expect(used.error).toBeNull();
    expect(await verifiedOf(client)).toBe(true);
    const verified = await fetch(`${optional.url}/api/auth/verify`, {
      headers: { cookie: client.jar.header() },
    });
    expect(verified.headers.get("x-auth-email-verified")).toBe("true");
    await auth(optional).sendVerificationEmail({ email });
    const other = await addMember(database);
    await auth(optional).requestPasswordReset({ email: other.email });
    await mailbox.next(other.email);
    expect(mailbox.mails.filter(({ to }) => to === email)).toHaveLength(2);
  });

  test("what the maker of an unconfirmed account set dies when the owner of the address sets a password", async () => {
    const email = newEmail();
    const attacker = createClient(optional.origin);
    await attacker.auth.signUp.email({ name: "Mallory", email, password });
    expect((await attacker.auth.getSession()).data?.user.email).toBe(email);
    await mailbox.next(email);
    await auth(optional).requestPasswordReset({ email });
    const token = tokenIn(await mailbox.next(email, 2));
    expect((await auth(optional).resetPassword({ token, newPassword: another })).data).toEqual({
      status: true,
    });
    expect((await attacker.auth.getSession()).data).toBeNull();
    expect([await signIn(required, email), await signIn(required, email, another)]).toEqual([
      "INVALID_EMAIL_OR_PASSWORD",
      200,
    ]);
  });

  test("an address is changed by a link to the new one, and back by one to the old one", async () => {
    const member = await confirmed();
    const device = member.browser(optional.origin, await member.session());
    const wanted = newEmail();
    expect((await device.auth.changeEmail({ newEmail: wanted })).data).toEqual({ status: true });
    const asked = await mailbox.next(wanted);
    expect((await device.auth.getSession()).data?.user.email).toBe(member.email);
    expect((await post(optional, "confirm", { token: tokenIn(asked) })).body).toEqual({ status: true });
    expect((await device.auth.getSession()).data?.user).toMatchObject({ email: wanted, emailVerified: true });
    expect(await signIn(optional, wanted)).toBe(200);
    const told = await mailbox.next(member.email);
    expect([told.subject, told.text]).toEqual([
      "Your address at latchkey was changed",
      expect.stringContaining(wanted),
    ]);
    const undone = await createFormClient(optional.origin).post("/confirm", { token: tokenIn(told) });
    expect(undone.status).toBe(303);
    expect((await device.auth.getSession()).data).toBeNull();
    expect([await signIn(optional, wanted), await signIn(optional, member.email)]).toEqual([
      "INVALID_EMAIL_OR_PASSWORD",
      200,
    ]);
    expect((await post(optional, "confirm", { token: tokenIn(told) })).body["code"]).toBe("INVALID_LINK");
  });

  test("a change of the address to one that somebody has is answered alike, and sends nothing", async () => {
    const [member, other] = [await addMember(database), await addMember(database)];
    const device = member.browser(optional.origin, await member.session());
    expect((await device.auth.changeEmail({ newEmail: other.email })).data).toEqual({ status: true });
    const wanted = newEmail();
    await device.auth.changeEmail({ newEmail: wanted });
    const link = tokenIn(await mailbox.next(wanted));
    expect(mailbox.mails.filter(({ to }) => to === other.email)).toEqual([]);
    // Somebody takes it before the link is used.
    await auth(optional).signUp.email({ name: "Bob", email: wanted, password });
    expect((await post(optional, "confirm", { token: link })).body["code"]).toBe("EMAIL_TAKEN");
    expect((await device.auth.getSession()).data?.user.email).toBe(member.email);
  });

  test("an undo of the owner's outlives a change that who took the account over makes after it", async () => {
    const member = await confirmed();
    const device = member.browser(optional.origin, await member.session());
    const change = async (to: string, count = 1) => {
      await device.auth.changeEmail({ newEmail: to });
      await post(optional, "confirm", { token: tokenIn(await mailbox.next(to, count)) });
    };
    const [first, second] = [newEmail(), newEmail()];
    await change(first);
    const ownersUndo = tokenIn(await mailbox.next(member.email));
    await change(second);
    const thiefsUndo = tokenIn(await mailbox.next(first, 2));
    expect((await post(optional, "confirm", { token: thiefsUndo })).body).toEqual({ status: true });
    expect((await post(optional, "confirm", { token: ownersUndo })).body).toEqual({ status: true });
    expect(await signIn(optional, member.email)).toBe(200);
    expect((await post(optional, "confirm", { token: thiefsUndo })).body["code"]).toBe("INVALID_LINK");
  });

  test("an undo ends those of later changes: who took the account over does not get it again", async () => {
    const member = await confirmed();
    const device = member.browser(optional.origin, await member.session());
    const [first, second] = [newEmail(), newEmail()];
    for (const to of [first, second]) {
      await device.auth.changeEmail({ newEmail: to });
      await post(optional, "confirm", { token: tokenIn(await mailbox.next(to)) });
    }
    const [owners, thiefs] = [await mailbox.next(member.email), await mailbox.next(first, 2)];
    expect((await post(optional, "confirm", { token: tokenIn(owners) })).body).toEqual({ status: true });
    expect((await post(optional, "confirm", { token: tokenIn(thiefs) })).body["code"]).toBe("INVALID_LINK");
    expect(await signIn(optional, member.email)).toBe(200);
  });

  test("an undo takes the address back from who signed up with it meanwhile", async () => {
    const member = await confirmed();
    const device = member.browser(optional.origin, await member.session());
    const wanted = newEmail();
    await device.auth.changeEmail({ newEmail: wanted });
    await post(optional, "confirm", { token: tokenIn(await mailbox.next(wanted)) });
    const undo = tokenIn(await mailbox.next(member.email));
    const squatter = createClient(optional.origin);
    await squatter.auth.signUp.email({ name: "Mallory", email: member.email, password: another });
    expect((await squatter.auth.getSession()).data?.user.email).toBe(member.email);
    expect((await post(optional, "confirm", { token: undo })).body).toEqual({ status: true });
    expect((await squatter.auth.getSession()).data).toBeNull();
    expect([await signIn(optional, member.email, another), await signIn(optional, member.email)]).toEqual([
      "INVALID_EMAIL_OR_PASSWORD",
      200,
    ]);
  });

  test("a change that waits dies with the password: whoever asked for it may be whom that keeps out", async () => {
    const member = await confirmed();
    const device = member.browser(optional.origin, await member.session());
    const wanted = newEmail();
    await device.auth.changeEmail({ newEmail: wanted });
    const change = tokenIn(await mailbox.next(wanted));
    await auth(optional).requestPasswordReset({ email: member.email });
    const token = tokenIn(await mailbox.next(member.email));
    await auth(optional).resetPassword({ token, newPassword: another });
    expect((await post(optional, "confirm", { token: change })).body["code"]).toBe("INVALID_LINK");
    expect(await signIn(optional, member.email, another)).toBe(200);
  });

  test("nothing undoes a change from an address that nobody ever showed to have", async () => {
    const member = await addMember(database);
    const device = member.browser(optional.origin, await member.session());
    const wanted = newEmail();
    await device.auth.changeEmail({ newEmail: wanted });
    await post(optional, "confirm", { token: tokenIn(await mailbox.next(wanted)) });
    await auth(optional).requestPasswordReset({ email: wanted });
    await mailbox.next(wanted, 2);
    expect(mailbox.mails.filter(({ to }) => to === member.email)).toEqual([]);
  });

  test("of several mails the newest one's code counts, and every one's link", async () => {
    const email = newEmail();
    await auth(required).signUp.email({ name: "Ann", email, password });
    const first = await mailbox.next(email);
    await auth(required).sendVerificationEmail({ email });
    const second = await mailbox.next(email, 2);
    const older = await post(required, "verify-email-code", { email, code: codeIn(first) });
    expect(older.body["code"]).toBe("INVALID_CODE");
    expect((await post(required, "confirm", { token: tokenIn(first) })).body).toEqual({ status: true });
    // What confirmed it ends the rest.
    const newer = await post(required, "verify-email-code", { email, code: codeIn(second) });
    expect(newer.body["code"]).toBe("INVALID_CODE");
  });

  test("links and codes end by time, and by a lock", async () => {
    const ended = async (mail: ReceivedMail, email: string) => [
      (await post(required, "confirm", { token: tokenIn(mail) })).body["code"],
      (await post(required, "verify-email-code", { email, code: codeIn(mail) })).body["code"],
    ];
    const [late, locked] = [newEmail(), newEmail()];
    for (const email of [late, locked]) await auth(required).signUp.email({ name: "Ann", email, password });
    const [lateMail, lockedMail] = [await mailbox.next(late), await mailbox.next(locked)];
    const userOf = '(SELECT id FROM "user" WHERE email = $2)';
    const past = dialect === "sqlite" ? Date.now() - 1 : new Date(Date.now() - 1).toISOString();
    await database.query(
      `UPDATE verification SET expires_at = $1 WHERE identifier = 'latchkey:verification:' || ${userOf}`,
      [past, late],
    );
    expect(await ended(lateMail, late)).toEqual(["INVALID_LINK", "INVALID_CODE"]);
    await runLatchkey(["users", "lock", locked], { env: database.env });
    await runLatchkey(["users", "unlock", locked], { env: database.env });
    expect(await ended(lockedMail, locked)).toEqual(["INVALID_LINK", "INVALID_CODE"]);
  });

  test("an operator confirms the address of whom no mail reaches", async () => {
    const member = await addMember(database);
    expect(await signIn(required, member.email)).toBe("EMAIL_NOT_VERIFIED");
    const { exitCode, stdout, stderr } = await runLatchkey(
      ["users", "verify-email", member.email, "--json"],
      {
        env: database.env,
      },
    );
    expect([exitCode, JSON.parse(stdout)]).toEqual([
      0,
      { user: expect.objectContaining({ id: member.id, emailVerified: true }) },
    ]);
    expect(stderr).toContain('"event":"email_confirmation"');
    expect(await signIn(required, member.email)).toBe(200);
  });

  test("people are told of a password that was changed, and of an account that was deleted", async () => {
    const member = await addMember(database);
    const device = member.browser(optional.origin, await member.session());
    await device.auth.changePassword({ currentPassword: memberPassword, newPassword: another });
    const changed = await mailbox.next(member.email);
    expect(changed.subject).toBe("Your password for latchkey was changed");
    expect(changed.text).toContain("IP address: 127.0.0.1");
    // A refused change is none.
    await device.auth.changePassword({ currentPassword: "not this one", newPassword: password });
    await device.auth.deleteUser({ password: another });
    const deleted = await mailbox.next(member.email, 2);
    expect(deleted.subject).toBe("Your account at latchkey was deleted");
    expect(mailbox.mails.filter(({ to }) => to === member.email)).toHaveLength(2);
  });
});

describe.each(dialects)("a sign-in from a new browser on %s", (dialect) => {
  test("is told of, once, and not in one that was used before", async () => {
    const database = await openTestDatabase(dialect);
    const mailbox = await openMailbox();
    const server = await spawnLatchkey({
      env: { ...database.env, ...mailbox.env, LATCHKEY_LIMITS: "on", LATCHKEY_LIMIT_SIGN_IN: "1000/1h" },
    });
    const member = await addMember(database);
    const browser = createClient(server.origin);
    const signIn = () => browser.auth.signIn.email({ email: member.email, password: memberPassword });
    await browser.auth.signIn.email({ email: member.email, password: "not this one" });
    await signIn();
    const told = await mailbox.next(member.email);
    expect(told.subject).toBe("A new sign-in to latchkey");
    await signIn();
    // One that no mail follows: the next one's is the second.
    for (let others = 0; others < 7; others += 1)
      await createClient(server.origin).auth.signIn.email({ email: member.email, password: memberPassword });
    await mailbox.next(member.email, 5);
    expect(server.logs().filter(({ event }) => event === "sign_in")).toHaveLength(10);
    await browser.auth.requestPasswordReset({ email: member.email });
    await mailbox.next(member.email, 6);
    expect(mailbox.mails.map(({ subject }) => subject).filter((one) => one.includes("sign-in"))).toHaveLength(
      5,
    );
    await server.stop();
    await mailbox.close();
    await database.close();
  });

  test("is told of again in a browser from before a reset: it is nobody's any more", async () => {
    const database = await openTestDatabase(dialect);
    const mailbox = await openMailbox();
    const server = await spawnLatchkey({ env: { ...database.env, ...mailbox.env, LATCHKEY_LIMITS: "on" } });
    const member = await addMember(database);
    const browser = createClient(server.origin);
    const signIn = (by: string) => browser.auth.signIn.email({ email: member.email, password: by });
    await signIn(memberPassword);
    await mailbox.next(member.email);
    await auth(server).requestPasswordReset({ email: member.email });
    const token = tokenIn(await mailbox.next(member.email, 2));
    await auth(server).resetPassword({ token, newPassword: another });
    await mailbox.next(member.email, 3);
    await signIn(another);
    expect((await mailbox.next(member.email, 4)).subject).toBe("A new sign-in to latchkey");
    await signIn(another);
    await auth(server).requestPasswordReset({ email: member.email });
    expect((await mailbox.next(member.email, 5)).subject).toBe("Set a new password for latchkey");
    await server.stop();
    await mailbox.close();
    await database.close();
  });
});
