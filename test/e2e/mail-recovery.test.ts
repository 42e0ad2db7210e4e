import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { createFormClient } from "../support/form-client.ts";
import { linkIn, type Mailbox, openMailbox } from "../support/mailbox.ts";
import { addMember, memberPassword } from "../support/member.ts";

setDefaultTimeout(60_000);

const another = "a new good password";

describe.each(dialects)("a forgotten password, by mail, on %s", (dialect) => {
  let database: TestDatabase;
  let mailbox: Mailbox;
  let server: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    mailbox = await openMailbox();
    server = await spawnLatchkey({
      env: { ...database.env, ...mailbox.env, BETTER_AUTH_TRUSTED_ORIGINS: "http://localhost:3000" },
    });
  });
  afterAll(async () => {
    await server.stop();
    await mailbox.close();
    await database.close();
  });
  const client = () => createClient(server.origin);
  const signIn = async (email: string, password: string) => {
    const { error } = await client().auth.signIn.email({ email, password });
    return error?.status ?? 200;
  };
  const queued = async () =>
    Number((await database.query("SELECT count(*) AS n FROM latchkey_mail"))[0]?.["n"]);

  test("S18: is set anew on the pages, once, and every session ends", async () => {
    const member = await addMember(database);
    const device = member.browser(server.origin, await member.session());
    const browser = createFormClient(server.origin);
    const asked = await browser.get("/forgot-password?callbackUrl=http://localhost:3000/docs");
    expect([asked.status, asked.html]).toEqual([200, expect.stringContaining("Send the link")]);
    const sent = await browser.post("/forgot-password", {
      email: member.email.toUpperCase(),
      callbackUrl: "http://localhost:3000/docs",
    });
    expect([sent.status, sent.location]).toEqual([
      303,
      `${server.origin}/signin?callbackUrl=${encodeURIComponent("http://localhost:3000/docs")}`,
    ]);
    const mail = await mailbox.next(member.email);
    const link = linkIn(mail);
    expect(link.origin).toBe(server.origin);
    // Programs that look at mail open every link.
    for (let look = 0; look < 3; look += 1) {
      const shown = await browser.get(link.pathname + link.search);
      expect([shown.status, shown.html]).toEqual([200, expect.stringContaining(member.email)]);
    }
    expect(await signIn(member.email, memberPassword)).toBe(200);
    const form = {
      token: link.searchParams.get("token") ?? "",
      newPassword: another,
      callbackUrl: link.searchParams.get("callbackUrl") ?? "",
    };
    const set = await browser.post("/recover", form);
    expect([set.status, set.location]).toEqual([
      303,
      `${server.origin}/signin?callbackUrl=${encodeURIComponent("http://localhost:3000/docs")}`,
    ]);
    expect([await signIn(member.email, memberPassword), await signIn(member.email, another)]).toEqual([
      401, 200,
    ]);
    expect((await device.auth.getSession()).data).toBeNull();
    expect((await browser.post("/recover", form)).status).toBe(400);
    // What tells of the new password follows, and nothing else.
    await mailbox.next(member.email, 2);
    for (let tries = 0; (await queued()) > 0 && tries < 200; tries += 1) await Bun.sleep(50);
    expect([await queued(), mailbox.mails.filter(({ to }) => to === member.email).length]).toEqual([0, 2]);
  });

  test("is set anew by BetterAuth's client, on a page elsewhere", async () => {
    const member = await addMember(database);
    const { auth } = client();
    const { data, error } = await auth.requestPasswordReset({
      email: member.email,
      redirectTo: "http://localhost:3000/reset",
    });
    expect([data, error]).toEqual([
      {
        status: true,
        message: "If this email exists in our system, check your email for the reset link",
      },
      null,
    ]);
    const link = linkIn(await mailbox.next(member.email));
    expect(link.origin).toBe(server.origin);
    const followed = await fetch(link, { redirect: "manual" });
    const page = new URL(followed.headers.get("location") ?? "");
    expect([followed.status, page.origin + page.pathname]).toEqual([302, "http://localhost:3000/reset"]);
    const token = page.searchParams.get("token") ?? "";
    const reset = await auth.resetPassword({ token, newPassword: another });
    expect(reset.data).toEqual({ status: true });
    expect(await signIn(member.email, another)).toBe(200);
    const again = await fetch(link, { redirect: "manual" });
    expect(again.headers.get("location")).toBe("http://localhost:3000/reset?error=INVALID_TOKEN");
  });

  test("has a link to the public URL, whatever a request calls the host", async () => {
    const member = await addMember(database);
    const { port } = new URL(server.url);
    const response = await fetch(`${server.url}/api/auth/request-password-reset`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        host: `evil.example:${port}`,
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
      },
      body: JSON.stringify({ email: member.email }),
    });
    expect(response.status).toBe(200);
    const mail = await mailbox.next(member.email);
    expect(linkIn(mail).origin).toBe(server.origin);
    expect(mail.raw).not.toContain("evil.example");
  });

  test("S18: is answered alike for an address that nobody has, which is sent nothing", async () => {
    const member = await addMember(database);
    const ask = async (email: string) => {
      const response = await fetch(`${server.url}/api/auth/request-password-reset`, {
        method: "POST",
        headers: { "content-type": "application/json", origin: server.origin },
        body: JSON.stringify({ email }),
      });
      const headers = [...response.headers].filter(([name]) => name !== "date" && name !== "x-request-id");
      return { status: response.status, headers, body: await response.text() };
    };
    const nobody = `nobody-${crypto.randomUUID()}@example.com`;
    const [unknown, known] = [await ask(nobody), await ask(member.email)];
    expect(unknown).toEqual(known);
    await mailbox.next(member.email);
    for (let tries = 0; (await queued()) > 0 && tries < 200; tries += 1) await Bun.sleep(50);
    expect([await queued(), mailbox.mails.filter(({ to }) => to === nobody)]).toEqual([0, []]);
  });
});
