import { networkInterfaces } from "node:os";
import { afterAll, afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { SMTPServerOptions } from "smtp-server";
import { makeCertificate } from "../support/certificate.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { type Mailbox, openMailbox } from "../support/mailbox.ts";
import { addMember, type Member, memberPassword } from "../support/member.ts";
import { openScriptedSmtp } from "../support/scripted-smtp.ts";
import { startTcpRelay } from "../support/tcp-relay.ts";

setDefaultTimeout(90_000);

const from = { LATCHKEY_MAIL_FROM: "Example <accounts@example.org>" };
const refusal = (responseCode: number, message: string) =>
  Object.assign(new Error(message), { responseCode });
/** An address of this machine that other machines see, and so a server that must secure the connection. */
const ownAddress = Object.values(networkInterfaces())
  .flat()
  .find((one) => one !== undefined && one.family === "IPv4" && !one.internal)?.address;
const certificate = makeCertificate([
  "DNS:localhost",
  "IP:127.0.0.1",
  ...(ownAddress === undefined ? [] : [`IP:${ownAddress}`]),
]);
const { key, cert } = certificate;

describe("a mail server", () => {
  let database: TestDatabase;
  const opened: { close(): unknown }[] = [];
  const servers: RunningLatchkey[] = [];
  beforeEach(async () => {
    database = await openTestDatabase("sqlite");
  });
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.kill()));
    await Promise.all(opened.splice(0).map((one) => one.close()));
    await database.close();
  });
  afterAll(() => expect(servers).toEqual([]));

  const open = async (options?: SMTPServerOptions, host?: string): Promise<Mailbox> => {
    const mailbox = await openMailbox(options, host);
    opened.push(mailbox);
    return mailbox;
  };
  const start = async (env: Readonly<Record<string, string>>) => {
    const server = await spawnLatchkey({ env: { ...database.env, ...from, ...env } });
    servers.push(server);
    return server;
  };
  const post = async (server: RunningLatchkey, path: string, body: object) => {
    const begun = performance.now();
    const response = await fetch(`${server.url}/api/auth/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: server.origin },
      body: JSON.stringify(body),
    });
    await response.arrayBuffer();
    return { status: response.status, ms: performance.now() - begun };
  };
  const ask = async (server: RunningLatchkey, { email }: Pick<Member, "email">) => {
    expect((await post(server, "request-password-reset", { email })).status).toBe(200);
  };
  /** The lines of a mail, by what became of it, with what the server said. */
  const linesOf = (server: RunningLatchkey, outcome: string) =>
    server.logs().filter((line) => line["event"] === "mail" && line["outcome"] === outcome);
  const until = async (isSo: () => boolean | Promise<boolean>) => {
    const end = performance.now() + 40_000;
    while (!(await isSo())) {
      if (performance.now() > end)
        throw new Error(`it never came:\n${servers.map((one) => one.stderr()).join()}`);
      await Bun.sleep(20);
    }
  };
  const deferral = async (server: RunningLatchkey) => {
    await until(() => linesOf(server, "deferred").length > 0);
    return String(linesOf(server, "deferred")[0]?.["reason"]);
  };
  const isEmpty = async () => (await database.query("SELECT 1 FROM latchkey_mail")).length === 0;

  test("that hangs slows no request and no end, and has its mail once it is well", async () => {
    const mailbox = await open();
    const relay = await startTcpRelay({ targetPort: mailbox.port });
    opened.push(relay);
    const env = { SMTP_URL: `smtp://127.0.0.1:${relay.port}` };
    const server = await start(env);
    const members = await Promise.all(Array.from({ length: 6 }, () => addMember(database)));
    relay.stall(true);
    for (const member of members) await ask(server, member);
    const signIns = await Promise.all(
      members.map(({ email }) => post(server, "sign-in/email", { email, password: memberPassword })),
    );
    expect(signIns.map(({ status }) => status)).toEqual(Array(6).fill(200));
    // Six hashes on two cores: far less than any wait for the mail server.
    expect(Math.max(...signIns.map(({ ms }) => ms))).toBeLessThan(5_000);
    const ended = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - ended).toBeLessThan(5_000);
    expect(mailbox.mails).toEqual([]);
    relay.stall(false);
    // What hung was given back: nobody waits for a lease.
    const begun = performance.now();
    const again = await start(env);
    await Promise.all(members.map(({ email }) => mailbox.next(email)));
    expect(performance.now() - begun).toBeLessThan(15_000);
    await until(isEmpty);
    expect([mailbox.mails.length, linesOf(again, "success").length]).toEqual([6, 6]);
  });

  test("that is slow takes each mail once", async () => {
    const mailbox = await open();
    const relay = await startTcpRelay({ targetPort: mailbox.port, delayMs: 600 });
    opened.push(relay);
    const server = await start({ SMTP_URL: `smtp://127.0.0.1:${relay.port}` });
    const members = await Promise.all(Array.from({ length: 3 }, () => addMember(database)));
    for (const member of members) await ask(server, member);
    await until(async () => linesOf(server, "success").length === 3 && (await isEmpty()));
    expect(mailbox.mails.map(({ to }) => to).toSorted()).toEqual(
      members.map(({ email }) => email).toSorted(),
    );
  });

  test("that refuses the recipient for good is asked once, and the log names nobody", async () => {
    const mailbox = await open({
      onRcptTo: ({ address }, _, done) => done(refusal(550, `no ${address} here`)),
    });
    const server = await start(mailbox.env);
    const member = await addMember(database);
    await ask(server, member);
    await until(() => linesOf(server, "failure").length > 0);
    expect(linesOf(server, "failure")[0]?.["reason"]).toBe("send (RCPT TO): 550 no <recipient> here");
    expect(server.stderr()).not.toContain(member.email);
    const [row] = await database.query("SELECT failed_at, attempts FROM latchkey_mail");
    expect([row?.["failed_at"] === null, row?.["attempts"]]).toEqual([false, 1]);
  });

  test("that refuses some recipients takes the mail of others over the same minute", async () => {
    const refused = await addMemberLater();
    const mailbox = await open({
      onRcptTo: ({ address }, _, done) => done(address === refused.email() ? refusal(550, "no") : null),
    });
    const server = await start(mailbox.env);
    const [first, second] = [await addMember(database), await addMember(database)];
    refused.is(first);
    await Promise.all([ask(server, first), ask(server, second)]);
    await mailbox.next(second.email);
    await until(() => linesOf(server, "failure").length === 1);
    expect(mailbox.mails.length).toBe(1);
  });

  test.each([
    { what: "the sender", env: {}, reason: "send (MAIL FROM): 550 not from here" },
    { what: "the login", env: { login: "ann:secret@" }, reason: "login (AUTH PLAIN): 535 who are you" },
  ])("that refuses $what for good keeps nothing: it is put right", async ({ env, reason }) => {
    let isRight = false;
    const mailbox = await open({
      disabledCommands: ["STARTTLS"],
      authOptional: true,
      allowInsecureAuth: true,
      onMailFrom: (_, __, done) =>
        done(isRight || env.login !== undefined ? null : refusal(550, "not from here")),
      onAuth: ({ username, password }, _, done) =>
        isRight && username === "ann" && password === "secret"
          ? done(null, { user: username })
          : done(refusal(535, "who are you")),
    });
    const server = await start({ SMTP_URL: `smtp://${env.login ?? ""}127.0.0.1:${mailbox.port}` });
    const member = await addMember(database);
    await ask(server, member);
    expect(await deferral(server)).toBe(reason);
    expect(server.stderr()).not.toContain("secret");
    isRight = true;
    await mailbox.next(member.email);
    await until(isEmpty);
    expect(mailbox.mails.length).toBe(1);
  });

  test("that greylists gets the mail when it comes back", async () => {
    const seen = new Set<string>();
    const mailbox = await open({
      onRcptTo({ address }, _, done) {
        const isKnown = seen.has(address);
        seen.add(address);
        done(isKnown ? null : refusal(451, "greylisted, come back"));
      },
    });
    const server = await start(mailbox.env);
    const member = await addMember(database);
    await ask(server, member);
    expect(await deferral(server)).toBe("send (RCPT TO): 451 greylisted, come back");
    const [row] = await database.query("SELECT next_at FROM latchkey_mail");
    // 15 s, more or less a quarter.
    expect(Number(row?.["next_at"]) - Date.now()).toBeWithin(5_000, 19_000);
    await until(isEmpty);
    expect(mailbox.mails.map(({ to }) => to)).toEqual([member.email]);
  });

  test("that goes away in the middle of a mail gets all of it later", async () => {
    const mailbox = await open();
    const relay = await startTcpRelay({ targetPort: mailbox.port });
    opened.push(relay);
    relay.cutOn("Auto-Submitted");
    const server = await start({ SMTP_URL: `smtp://127.0.0.1:${relay.port}` });
    const member = await addMember(database);
    await ask(server, member);
    expect(await deferral(server)).toStartWith("send");
    expect(mailbox.mails).toEqual([]);
    relay.cutOn(null);
    await until(isEmpty);
    expect(
      mailbox.mails.map(({ to, text }) => [to, text.includes("https://") || text.includes("http://")]),
    ).toEqual([[member.email, true]]);
  });

  test("that ends the connection after each mail gets the next at once", async () => {
    const smtp = openScriptedSmtp((command) => (command === "." ? { last: "250 queued" } : undefined));
    opened.push(smtp);
    const server = await start({ SMTP_URL: `smtp://127.0.0.1:${smtp.port}` });
    const members = await Promise.all(Array.from({ length: 12 }, () => addMember(database)));
    await Promise.all(members.map((member) => ask(server, member)));
    await until(isEmpty);
    expect(smtp.recipients.toSorted()).toEqual(members.map(({ email }) => email).toSorted());
    expect(linesOf(server, "deferred")).toEqual([]);
  });

  test("that is not there is tried again within seconds", async () => {
    const mailbox = await open();
    const relay = await startTcpRelay({ targetPort: mailbox.port });
    const port = relay.port;
    await relay.close();
    const server = await start({ SMTP_URL: `smtp://127.0.0.1:${port}` });
    const member = await addMember(database);
    await ask(server, member);
    expect(await deferral(server)).toMatch(/^connect.*(?:ECONNREFUSED|refused|Failed to connect)/i);
    const back = Bun.listen({
      hostname: "127.0.0.1",
      port,
      socket: { data() {}, open: (socket) => void socket.end("554 no service here\r\n") },
    });
    await until(() => linesOf(server, "deferred").some(({ reason }) => String(reason).includes("554")));
    back.stop(true);
    expect(await isEmpty()).toBe(false);
  });

  describe("over TLS", () => {
    const secured = { secure: true, key, cert, disabledCommands: ["AUTH"] };
    const trusting = { NODE_EXTRA_CA_CERTS: certificate.path };

    test.each(["localhost", "127.0.0.1"])(
      "by a certificate that nobody vouches for gets nothing: %s",
      async (host) => {
        const mailbox = await open(secured);
        const server = await start({ SMTP_URL: `smtps://${host}:${mailbox.port}` });
        const member = await addMember(database);
        await ask(server, member);
        expect(await deferral(server)).toMatch(/^connect.*self[- ]signed certificate/i);
        expect(mailbox.mails).toEqual([]);
        await server.stop();
        const trusts = await start({ SMTP_URL: `smtps://${host}:${mailbox.port}`, ...trusting });
        await mailbox.next(member.email);
        await until(() => linesOf(trusts, "success").length === 1);
      },
    );

    test("by another's certificate gets nothing", async () => {
      const other = makeCertificate(["DNS:mail.example.org"]);
      const mailbox = await open({ ...secured, key: other.key, cert: other.cert });
      const server = await start({
        SMTP_URL: `smtps://localhost:${mailbox.port}`,
        NODE_EXTRA_CA_CERTS: other.path,
      });
      await ask(server, await addMember(database));
      expect(await deferral(server)).toMatch(/^connect.*altnames/i);
      expect(mailbox.mails).toEqual([]);
    });

    test.skipIf(ownAddress === undefined)("by STARTTLS, which another machine must offer", async () => {
      const plain = await open({}, "0.0.0.0");
      const server = await start({ SMTP_URL: `smtp://${ownAddress}:${plain.port}` });
      const member = await addMember(database);
      await ask(server, member);
      expect(await deferral(server)).toMatch(/STARTTLS/);
      expect(plain.mails).toEqual([]);
      await server.stop();
      let isSecure = false;
      const login = { user: "ann", password: "p@ss:/%" };
      const mailbox = await open(
        {
          key,
          cert,
          disabledCommands: [],
          onAuth: ({ username, password }, session, done) => {
            isSecure = session.secure;
            const isRight = username === login.user && password === login.password;
            done(isRight ? null : refusal(535, "no"), { user: username });
          },
        },
        "0.0.0.0",
      );
      const url = (scheme: string) =>
        `${scheme}://${login.user}:${encodeURIComponent(login.password)}@${ownAddress}:${mailbox.port}`;
      const untrusting = await start({ SMTP_URL: url("smtp") });
      expect(await deferral(untrusting)).toMatch(/self[- ]signed certificate/i);
      await untrusting.stop();
      await start({ SMTP_URL: url("smtp"), ...trusting });
      await mailbox.next(member.email);
      expect([isSecure, mailbox.mails.length]).toEqual([true, 1]);
    });
  });
});

/** Somebody whose address is known only after the server was told about it. */
async function addMemberLater() {
  let member: Member | undefined;
  return { is: (one: Member) => void (member = one), email: () => member?.email ?? "" };
}
