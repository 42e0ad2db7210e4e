import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { linkIn, type Mailbox, openMailbox, type ReceivedMail } from "../support/mailbox.ts";
import { addMember, memberPassword } from "../support/member.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery";
const rounds = 6;
const newEmail = () => `r-${crypto.randomUUID()}@example.com`;
const tokenIn = (mail: ReceivedMail) => linkIn(mail).searchParams.get("token") ?? "";

describe.each(dialects)("mail and something else at once, on %s,", (dialect) => {
  let database: TestDatabase;
  let mailbox: Mailbox;
  /** Two on one database; those of SQLite share its file. */
  let servers: readonly [RunningLatchkey, RunningLatchkey];
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    mailbox = await openMailbox();
    const env = {
      ...database.env,
      ...mailbox.env,
      LATCHKEY_EMAIL_VERIFICATION: "optional",
      BETTER_AUTH_TRUSTED_ORIGINS: "http://localhost:3000",
    };
    servers = [await spawnLatchkey({ env }), await spawnLatchkey({ env })];
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await mailbox.close();
    await database.close();
  });
  const at = (index: number) => servers[index % 2 === 0 ? 0 : 1];
  const post = async (index: number, path: string, body: object) => {
    const server = at(index);
    const response = await fetch(`${server.url}/api/auth/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: server.origin },
      body: JSON.stringify(body),
    });
    return { status: response.status, code: ((await response.json()) as { code?: string }).code ?? "" };
  };
  const signUp = async () => {
    const email = newEmail();
    await createClient(at(0).origin).auth.signUp.email({ name: "Ann", email, password });
    return { email, mail: await mailbox.next(email) };
  };
  /** A link for a change of a member's address. */
  const changeOf = async (to: string, count = 1) => {
    const member = await addMember(database);
    const device = member.browser(at(0).origin, await member.session());
    await device.auth.changeEmail({ newEmail: to });
    return { member, token: tokenIn(await mailbox.next(to, count)) };
  };
  const holders = async (email: string) =>
    (await database.query('SELECT id FROM "user" WHERE email = $1', [email])).length;

  test("a link that many use is used once", async () => {
    for (let round = 0; round < rounds; round += 1) {
      const { mail } = await signUp();
      const token = tokenIn(mail);
      const answers = await Promise.all([0, 1, 2, 3].map((index) => post(index, "confirm", { token })));
      expect(answers.map(({ status, code }) => `${status} ${code}`).toSorted()).toEqual([
        "200 ",
        "400 INVALID_LINK",
        "400 INVALID_LINK",
        "400 INVALID_LINK",
      ]);
    }
  });

  test("of two changes to one address, one is made", async () => {
    for (let round = 0; round < rounds; round += 1) {
      const wanted = newEmail();
      const [one, other] = [await changeOf(wanted), await changeOf(wanted, 2)];
      const answers = await Promise.all(
        [one, other].map(({ token }, index) => post(index, "confirm", { token })),
      );
      expect(answers.map(({ status, code }) => `${status} ${code}`).toSorted()).toEqual([
        "200 ",
        "400 EMAIL_TAKEN",
      ]);
      expect(await holders(wanted)).toBe(1);
    }
  });

  test("of a change to an address and a sign-up with it, one is made", async () => {
    for (let round = 0; round < rounds; round += 1) {
      const wanted = newEmail();
      const { token } = await changeOf(wanted);
      const [changed, signedUp] = await Promise.all([
        post(0, "confirm", { token }),
        post(1, "sign-up/email", { name: "Bob", email: wanted, password }),
      ]);
      expect(["200  422 USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL", "400 EMAIL_TAKEN 200 "]).toContain(
        `${changed.status} ${changed.code} ${signedUp.status} ${signedUp.code}`,
      );
      expect(await holders(wanted)).toBe(1);
    }
  });

  test("two servers send each mail once", async () => {
    const people = await Promise.all(Array.from({ length: 24 }, () => addMember(database)));
    await Promise.all(people.map(({ email }, index) => post(index, "request-password-reset", { email })));
    for (const { email } of people) await mailbox.next(email);
    const ids = mailbox.mails.map(({ messageId }) => messageId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { email } of people) expect(mailbox.mails.filter(({ to }) => to === email)).toHaveLength(1);
  });
});

describe.each(dialects)("sign-ups with one address at once, on %s,", (dialect) => {
  test("are all answered alike where it is to be confirmed, and make one account", async () => {
    const database = await openTestDatabase(dialect);
    const env = {
      SMTP_URL: "smtp://127.0.0.1:9",
      LATCHKEY_MAIL_FROM: "accounts@example.com",
      LATCHKEY_EMAIL_VERIFICATION: "required",
    };
    const server = await spawnLatchkey({ env: { ...database.env, ...env } });
    const email = newEmail();
    const answers = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const response = await fetch(`${server.url}/api/auth/sign-up/email`, {
          method: "POST",
          headers: { "content-type": "application/json", origin: server.origin },
          body: JSON.stringify({ name: "Ann", email, password }),
        });
        const { token, user } = (await response.json()) as { token: unknown; user?: Record<string, unknown> };
        return { status: response.status, token, isOneInstant: user?.["createdAt"] === user?.["updatedAt"] };
      }),
    );
    expect(answers).toEqual(answers.map(() => ({ status: 200, token: null, isOneInstant: true })));
    expect(answers).toHaveLength(12);
    const rows = await database.query('SELECT id FROM "user" WHERE email = $1', [email]);
    expect(rows).toHaveLength(1);
    await server.stop();
    await database.close();
  });
});

describe.each(dialects)("a mail that waits, on %s,", (dialect) => {
  test("is taken back by a change of the password: its link would work past that", async () => {
    const database = await openTestDatabase(dialect);
    // Nobody listens there.
    const env = { SMTP_URL: "smtp://127.0.0.1:9", LATCHKEY_MAIL_FROM: "accounts@example.com" };
    const server = await spawnLatchkey({ env: { ...database.env, ...env } });
    const [member, other] = [await addMember(database), await addMember(database)];
    const waiting = async () =>
      (await database.query("SELECT kind, recipient FROM latchkey_mail ORDER BY kind, recipient")).map(
        ({ kind, recipient }) => `${String(kind)} ${String(recipient)}`,
      );
    const { auth } = createClient(server.origin);
    for (const { email } of [member, other]) await auth.requestPasswordReset({ email });
    expect(await waiting()).toHaveLength(2);
    const device = member.browser(server.origin, await member.session());
    await device.auth.changePassword({ currentPassword: memberPassword, newPassword: "a new good password" });
    expect(await waiting()).toEqual([`password_changed ${member.email}`, `recovery ${other.email}`]);
    await server.stop();
    await database.close();
  });
});

describe.each(dialects)("limits on mail, on %s,", (dialect) => {
  test("hold for many at once: five mails to an account, and five tries of its code", async () => {
    const database = await openTestDatabase(dialect);
    const mailbox = await openMailbox();
    const env = {
      ...database.env,
      ...mailbox.env,
      LATCHKEY_LIMITS: "on",
      LATCHKEY_EMAIL_VERIFICATION: "required",
      LATCHKEY_TRUSTED_PROXIES: "127.0.0.1/32",
    };
    const server = await spawnLatchkey({ env });
    let clients = 0;
    const post = async (path: string, body: object) => {
      const response = await fetch(`${server.url}/api/auth/${path}`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          origin: server.origin,
          "x-forwarded-for": `203.0.113.${(clients += 1)}`,
        },
        body: JSON.stringify(body),
      });
      return response.status;
    };
    const member = await addMember(database);
    const nobody = newEmail();
    for (const email of [member.email, nobody]) {
      const answers = await Promise.all(
        Array.from({ length: 12 }, () => post("request-password-reset", { email })),
      );
      expect(answers.toSorted()).toEqual([...Array(5).fill(200), ...Array(7).fill(429)]);
      const tries = await Promise.all(
        Array.from({ length: 12 }, () => post("verify-email-code", { email, code: "12345678" })),
      );
      expect(tries.toSorted()).toEqual([...Array(5).fill(400), ...Array(7).fill(429)]);
    }
    // A sign-up with an address that has had its mails is answered as ever, and sends none.
    const signUp = { name: "Ann", email: member.email, password };
    expect(await Promise.all([1, 2, 3].map(() => post("sign-up/email", signUp)))).toEqual([200, 200, 200]);
    await mailbox.next(member.email, 5);
    const other = await addMember(database);
    await post("request-password-reset", { email: other.email });
    await mailbox.next(other.email);
    expect(mailbox.mails).toHaveLength(6);
    await server.stop();
    await mailbox.close();
    await database.close();
  });

  test("tell of five new passwords in an hour, and change more", async () => {
    const database = await openTestDatabase(dialect);
    const mailbox = await openMailbox();
    const server = await spawnLatchkey({ env: { ...database.env, ...mailbox.env, LATCHKEY_LIMITS: "on" } });
    const member = await addMember(database);
    const device = member.browser(server.origin, await member.session());
    let currentPassword = memberPassword;
    for (let at = 0; at < 7; at += 1) {
      const newPassword = `a new good password ${at}`;
      const { error } = await device.auth.changePassword({ currentPassword, newPassword });
      expect(error).toBeNull();
      currentPassword = newPassword;
    }
    await device.auth.requestPasswordReset({ email: member.email });
    await mailbox.next(member.email, 6);
    expect(mailbox.mails.map(({ subject }) => subject).filter((one) => one.includes("changed"))).toHaveLength(
      5,
    );
    await server.stop();
    await mailbox.close();
    await database.close();
  });

  test("and nobody is trusted as somebody's browser for asking after them", async () => {
    const database = await openTestDatabase(dialect);
    const env = {
      SMTP_URL: "smtp://127.0.0.1:9",
      LATCHKEY_MAIL_FROM: "accounts@example.com",
      LATCHKEY_LIMITS: "on",
      LATCHKEY_EMAIL_VERIFICATION: "required",
    };
    const server = await spawnLatchkey({ env: { ...database.env, ...env } });
    const { email } = await addMember(database);
    const bodies: readonly (readonly [string, object])[] = [
      ["request-password-reset", { email }],
      ["send-verification-email", { email }],
      ["sign-up/email", { name: "Ann", email, password }],
    ];
    for (const [path, body] of bodies) {
      const { status, headers } = await fetch(`${server.url}/api/auth/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", origin: server.origin },
        body: JSON.stringify(body),
      });
      expect({ path, status, cookies: headers.getSetCookie() }).toEqual({ path, status: 200, cookies: [] });
    }
    await server.stop();
    await database.close();
  });
});
