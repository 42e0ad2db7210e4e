import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { mailKinds } from "../../src/auth/outgoing-mail.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { type Mailbox, openMailbox } from "../support/mailbox.ts";
import { addMember } from "../support/member.ts";
import { parseObject } from "../support/process-output.ts";
import { openScriptedSmtp } from "../support/scripted-smtp.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

describe.each(dialects)("latchkey mail on %s", (dialect) => {
  let database: TestDatabase;
  let mailbox: Mailbox;
  let server: RunningLatchkey;
  let answer: string | null = null;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    mailbox = await openMailbox({
      onRcptTo: (_, __, done) =>
        done(
          answer === null
            ? null
            : Object.assign(new Error(answer.slice(4)), { responseCode: Number(answer.slice(0, 3)) }),
        ),
    });
    server = await spawnLatchkey({ env: { ...database.env, ...mailbox.env } });
  });
  afterAll(async () => {
    await server.stop();
    await mailbox.close();
    await database.close();
  });
  const run = async (...args: string[]) => {
    const result = await runLatchkey(["mail", ...args], { env: { ...database.env, ...mailbox.env } });
    return { ...result, events: result.stderr.split("\n").flatMap(parseObject) };
  };
  const queued = async () => {
    const { exitCode, stdout } = await run("queue", "--json");
    expect(exitCode).toBe(0);
    return JSON.parse(stdout) as { mails: Record<string, unknown>[]; waiting: number; failed: number };
  };
  const until = async (isSo: () => Promise<boolean>) => {
    for (let tries = 0; !(await isSo()); tries += 1) {
      if (tries > 200) throw new Error(`it never came: ${server.stderr()}`);
      await Bun.sleep(50);
    }
  };
  /** A mail that was refused in some way. @returns its recipient. */
  const refused = async (said: string) => {
    answer = said;
    const { email } = await addMember(database);
    await fetch(`${server.url}/api/auth/request-password-reset`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email }),
    });
    const isRefused = async () =>
      (await database.query("SELECT failure FROM latchkey_mail WHERE recipient = $1", [email]))[0]?.[
        "failure"
      ] !== null;
    await until(isRefused);
    answer = null;
    return email;
  };

  test("lists what waits and what was given up, tries it again, and drops it", async () => {
    expect(await run("queue")).toMatchObject({
      exitCode: 0,
      stdout: "",
      stderr: "0 wait, 0 were given up\n",
    });
    const later = await refused("451 come back");
    const never = await refused("550 nobody here");
    const { mails, waiting, failed } = await queued();
    expect([waiting, failed]).toEqual([1, 1]);
    expect(mails.map(({ id: _id, ageSeconds: _age, ...mail }) => mail)).toEqual([
      {
        kind: "recovery",
        recipient: later,
        attempts: 1,
        failure: "send (RCPT TO): 451 come back",
        createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
        nextAt: expect.stringMatching(/^\d{4}-.*Z$/),
        failedAt: null,
      },
      expect.objectContaining({ recipient: never, failure: "send (RCPT TO): 550 nobody here", nextAt: null }),
    ]);
    const text = await run("queue");
    expect([text.exitCode, text.stderr]).toEqual([0, "1 wait, 1 were given up\n"]);
    expect(text.stdout.split("\n")).toEqual([
      expect.stringMatching(/^ID +KIND +TO +TRIES +AGE +NEXT$/),
      expect.stringMatching(/recovery +\S+ +1 +\d+s +in \d+s: send \(RCPT TO\): 451 come back$/),
      expect.stringMatching(/recovery +\S+ +1 +\d+s +given up: send \(RCPT TO\): 550 nobody here$/),
      "",
    ]);
    expect(await run("queue", "--limit", "1")).toMatchObject({
      stderr: "1 wait, 1 were given up; 1 are not shown: --limit\n",
    });
    const [laterId, neverId] = mails.map(({ id }) => String(id));
    const retried = await run("retry", neverId ?? "");
    expect([retried.exitCode, retried.stdout]).toEqual([0, "1 mail is tried again within a minute\n"]);
    expect(retried.events).toEqual([
      expect.objectContaining({ event: "mail_retry", outcome: "success", mail: neverId, retried: 1 }),
    ]);
    expect(await queued()).toMatchObject({ waiting: 2, failed: 0 });
    const dropped = await run("drop", laterId ?? "", "--json");
    expect([dropped.exitCode, JSON.parse(dropped.stdout)]).toEqual([0, { dropped: laterId }]);
    expect(dropped.events).toEqual([
      expect.objectContaining({ event: "mail_drop", outcome: "success", mail: laterId }),
    ]);
    // A server that starts looks at once.
    await server.stop();
    server = await spawnLatchkey({ env: { ...database.env, ...mailbox.env } });
    await mailbox.next(never);
    await until(async () => (await queued()).waiting === 0);
    expect(mailbox.mails.map(({ to }) => to)).toEqual([never]);
    expect(await run("retry", "--all", "--json")).toMatchObject({ exitCode: 0, stdout: '{"retried":0}\n' });
  });

  test.each([
    { args: ["retry", "nothing"], reason: "unknown_mail", event: "mail_retry" },
    { args: ["drop", "nothing"], reason: "unknown_mail", event: "mail_drop" },
  ])("does not know the mail of $args: exit status 2", async ({ args, reason, event }) => {
    const { exitCode, stdout, stderr, events } = await run(...args, "--json");
    expect([exitCode, JSON.parse(stdout)]).toEqual([
      2,
      { error: { message: "no mail nothing waits", remedy: "latchkey mail queue" } },
    ]);
    expect(stderr).toContain("Error: no mail nothing waits");
    expect(events).toEqual([expect.objectContaining({ event, outcome: "failure", reason, mail: "nothing" })]);
  });
});

describe("latchkey mail", () => {
  test.each([
    { args: [], message: "mail: name what to do: queue, retry, drop, preview, test" },
    { args: ["queu"], message: "unknown command 'mail queu' (did you mean queue?)" },
    { args: ["retry"], message: "name one mail, or --all" },
    { args: ["retry", "one", "--all"], message: "name one mail, or --all" },
    { args: ["drop"], message: "missing required argument 'id'" },
    { args: ["queue", "--limit", "0"], message: "It is no whole number from 1 to 10000." },
    { args: ["test", "nobody"], message: "nobody: Invalid email" },
    { args: ["test", "ann@example.com"], message: "no mail server is set" },
  ])("refuses $args with exit status 2", async ({ args, message }) => {
    const { exitCode, stdout, stderr } = await runLatchkey(["mail", ...args]);
    expect([exitCode, stdout, stderr]).toEqual([2, "", expect.stringContaining(message)]);
  });

  describe("test", () => {
    test("sends a mail now, by a server's own settings, and says what was said", async () => {
      const mailbox = await openMailbox();
      const file = join(temporaryDirectory("mail"), "latchkey.env");
      const settings = { ...mailbox.env, LATCHKEY_BRAND_NAME: "Example" };
      writeFileSync(
        file,
        Object.entries(settings)
          .map(([name, value]) => `${name}="${value}"\n`)
          .join(""),
      );
      const { exitCode, stdout, stderr } = await runLatchkey([
        "mail",
        "test",
        "Ann@Example.com",
        "--env-file",
        file,
      ]);
      expect(stderr.split("\n").flatMap(parseObject)).toEqual([
        expect.objectContaining({ event: "mail_test", outcome: "success" }),
      ]);
      expect(stderr).not.toContain("ann@example.com");
      expect([exitCode, stdout]).toEqual([
        0,
        `127.0.0.1:${mailbox.port} (this machine) took it: 250 queued\n`,
      ]);
      const mail = await mailbox.next("ann@example.com");
      expect([mail.subject, mail.from]).toEqual(["A test of Example's mail", "accounts@example.org"]);
      const json = await runLatchkey(["mail", "test", "ann@example.com", "--env-file", file, "--json"]);
      expect(JSON.parse(json.stdout)).toEqual({
        to: "ann@example.com",
        server: `127.0.0.1:${mailbox.port} (this machine)`,
        said: "250 queued",
      });
      await mailbox.close();
    });

    test.each([
      { at: "MAIL", reply: "550 not from here", remedy: "LATCHKEY_MAIL_FROM" },
      { at: "RCPT", reply: "550 <ann@example.com> unknown", remedy: "correct the address" },
      { at: "RCPT", reply: "451 later", remedy: "try again in a few minutes" },
      { at: "AUTH", reply: "535 who are you", remedy: "correct user and password" },
      { at: "GREETING", reply: "554 no service", remedy: "correct host and port" },
    ])("says $reply at $at, and what to do: exit status 1", async ({ at, reply, remedy }) => {
      const smtp = openScriptedSmtp((command) => {
        if (command === at) return reply;
        return command === "EHLO" ? "250-here\r\n250 AUTH PLAIN" : undefined;
      });
      const env = {
        SMTP_URL: `smtp://ann:topsecret@127.0.0.1:${smtp.port}`,
        LATCHKEY_MAIL_FROM: "accounts@example.org",
      };
      const { exitCode, stdout, stderr } = await runLatchkey(["mail", "test", "ann@example.com"], {
        env: at === "AUTH" ? env : { ...env, SMTP_URL: `smtp://127.0.0.1:${smtp.port}` },
      });
      expect([exitCode, stdout]).toEqual([1, ""]);
      expect(stderr).toContain(reply.replace("ann@example.com", "<recipient>"));
      expect(stderr).toContain(`Try: `);
      expect(stderr).toContain(remedy);
      expect(stderr).not.toContain("topsecret");
      smtp.close();
    });
  });
});

describe("latchkey mail preview", () => {
  const env = { SMTP_URL: "smtp://127.0.0.1", LATCHKEY_MAIL_FROM: "accounts@example.com" };
  const run = (args: readonly string[], more: Readonly<Record<string, string>> = {}) =>
    runLatchkey(["mail", "preview", ...args], { env: { ...env, ...more } });

  test.each(mailKinds)("shows %s in each language", async (kind) => {
    const shown = await Promise.all(
      ["en", "de", "es", "fr", "ja"].map(async (language) => {
        const { exitCode, stdout } = await run([kind, "--language", language, "--json"]);
        expect(exitCode).toBe(0);
        const made = JSON.parse(stdout) as { subject: string; text: string; html: string };
        expect(made.html).toContain(`<html lang="${language}"`);
        // Nothing stands where a value should.
        expect(made.subject + made.text + made.html).not.toMatch(/\{\w+\}|undefined|\[object/);
        return made.subject;
      }),
    );
    expect(new Set(shown).size).toBe(5);
  });

  test("shows an operator's own template, and what is wrong with one", async () => {
    const folder = temporaryDirectory("templates");
    const own = { LATCHKEY_MAIL_TEMPLATES: folder };
    writeFileSync(join(folder, "recovery.subject"), "{{brand}} says: {{subject}}");
    const { stdout } = await run(["recovery", "--part", "subject"], own);
    expect(stdout).toBe("latchkey says: Set a new password for latchkey\n");
    writeFileSync(join(folder, "recovery.html"), "{{#before}}");
    const { exitCode, stderr } = await run(["recovery"], own);
    expect([exitCode, stderr]).toEqual([
      1,
      expect.stringContaining("recovery.html is not used: Unclosed section"),
    ]);
    // Nor does a server start with it.
    expect(spawnLatchkey({ env: { ...env, ...own } })).rejects.toThrow("recovery.html is not used");
  });

  test.each([
    ["unknown", [], "is no kind of mail"],
    ["recovery", ["--language", "xx"], "is no language"],
    ["recovery", ["--part", "pdf"], "is no part of a mail"],
  ] as const)("refuses %s %p with the reason", async (kind, more, reason) => {
    const { exitCode, stderr } = await run([kind, ...more]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(reason)]);
  });
});
