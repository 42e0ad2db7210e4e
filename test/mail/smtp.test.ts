import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { MailConfig } from "../../src/config/config.ts";
import { MailError, openSmtp } from "../../src/mail/smtp.ts";
import { openScriptedSmtp, type ScriptedSmtp } from "../support/scripted-smtp.ts";

setDefaultTimeout(20_000);

const message = {
  from: "accounts@example.org",
  to: "ann@example.com",
  raw: Buffer.from("Subject: hello\r\n\r\n.\r\nbye\r\n"),
};

describe("openSmtp", () => {
  let smtp: ScriptedSmtp;
  afterEach(() => smtp.close());
  const open = (signal?: AbortSignal) => {
    const config: MailConfig = {
      host: "127.0.0.1",
      port: smtp.port,
      security: "plain",
      login: null,
      fromName: "Example",
      fromAddress: message.from,
      templates: null,
    };
    return openSmtp(config, signal);
  };
  const until = async (isSo: () => boolean) => {
    for (let tries = 0; !isSo(); tries += 1) {
      if (tries > 1_000) throw new Error("it never came");
      await Bun.sleep(5);
    }
  };
  const refusalOf = async (sent: Promise<unknown>) => {
    const error = await sent.then(
      () => null,
      (reason: unknown) => reason,
    );
    if (!(error instanceof MailError)) throw new Error("it was no MailError", { cause: error });
    return [error.scope, error.isFinal, error.message];
  };

  test("sends one after another over one connection, and tells what was said", async () => {
    smtp = openScriptedSmtp((command) => (command === "." ? "250 queued as 7" : undefined));
    const line = await open();
    expect([await line.send(message), await line.send(message)]).toEqual([
      "250 queued as 7",
      "250 queued as 7",
    ]);
    line.close();
    await until(() => smtp.connections() === 0);
    expect(smtp.said.filter((command) => ["GREETING", ".", "QUIT"].includes(command))).toEqual([
      "GREETING",
      ".",
      ".",
      "QUIT",
    ]);
  });

  test.each([
    { at: "MAIL", reply: "550 no", scope: "server", isFinal: false },
    { at: "MAIL", reply: "451 later", scope: "server", isFinal: false },
    { at: "RCPT", reply: "550 no", scope: "message", isFinal: true },
    { at: "RCPT", reply: "450 later", scope: "message", isFinal: false },
    { at: "RCPT", reply: "421 this server ends", scope: "server", isFinal: false },
    { at: "DATA", reply: "554 no", scope: "message", isFinal: true },
    { at: ".", reply: "554 this looks like spam", scope: "message", isFinal: true },
    { at: ".", reply: "451 later", scope: "message", isFinal: false },
  ])("knows what $reply at $at is about", async ({ at, reply, scope, isFinal }) => {
    smtp = openScriptedSmtp((command) => (command === at ? reply : undefined));
    const line = await open();
    expect(await refusalOf(line.send(message))).toEqual([scope, isFinal, expect.stringContaining(reply)]);
    expect(line.isOpen()).toBe(false);
    await until(() => smtp.connections() === 0);
  });

  test.each(["MAIL", "RCPT", "DATA", "."])("knows that the connection broke at %s", async (at) => {
    smtp = openScriptedSmtp((command) => (command === at ? { last: "" } : undefined));
    const line = await open();
    expect(await refusalOf(line.send(message))).toEqual(["line", false, expect.any(String)]);
  });

  test("notices that the server has ended the connection", async () => {
    smtp = openScriptedSmtp((command) => (command === "." ? { last: "250 fine" } : undefined));
    const line = await open();
    await line.send(message);
    await until(() => !line.isOpen());
    expect(await refusalOf(line.send(message))).toEqual(["line", false, expect.any(String)]);
  });

  test("waits for nobody at its good-bye, and leaves no connection behind", async () => {
    smtp = openScriptedSmtp((command) => (command === "QUIT" ? null : undefined));
    const line = await open();
    await line.send(message);
    line.close();
    await until(() => smtp.said.includes("QUIT"));
    expect(smtp.connections()).toBe(1);
    await until(() => smtp.connections() === 0);
  });

  test.each(["GREETING", "EHLO", "MAIL", "."])(
    "ends when it is told, while the server hangs at %s",
    async (at) => {
      smtp = openScriptedSmtp((command) => (command === at ? null : undefined));
      const ending = new AbortController();
      const sent = refusalOf(open(ending.signal).then((line) => line.send(message)));
      await until(() => smtp.said.includes(at));
      ending.abort();
      expect(await sent).toEqual([expect.any(String), false, expect.stringContaining("called off")]);
      await until(() => smtp.connections() === 0);
    },
  );

  test("gives up a server that does not greet", async () => {
    smtp = openScriptedSmtp(() => null);
    const begun = performance.now();
    expect(await refusalOf(open())).toEqual(["server", false, expect.stringMatching(/^connect.*greeting/i)]);
    expect(performance.now() - begun).toBeLessThan(12_000);
  });
});
