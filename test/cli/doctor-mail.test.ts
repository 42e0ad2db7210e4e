import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { loadConfig } from "../../src/config/load.ts";
import type { Check } from "../../src/doctor/check.ts";
import { mailChecks, type MailQuestions } from "../../src/doctor/mail-check.ts";
import { makeCertificate } from "../support/certificate.ts";
import { openDnsServer } from "../support/dns-server.ts";
import { runLatchkey } from "../support/executable.ts";
import { openMailbox } from "../support/mailbox.ts";
import { temporaryDirectory } from "../support/reaper.ts";
import { openScriptedSmtp } from "../support/scripted-smtp.ts";
import { runCommand } from "./run-command.ts";

setDefaultTimeout(40_000);

const from = { LATCHKEY_MAIL_FROM: "Example <accounts@mail.example.org>" };
const sound = {
  "mail.example.org": ["unrelated", "v=spf1 include:example.net -all"],
  "_dmarc.mail.example.org": ["v=DMARC1; p=quarantine"],
  "one._domainkey.mail.example.org": [`v=DKIM1; k=rsa; p=${"A".repeat(400)}`],
};

const opened: { close(): unknown }[] = [];
afterEach(() => Promise.all(opened.splice(0).map((one) => one.close())));

/** What the doctor says of mail, by a DNS that has these records. */
async function checksOf(
  records: Parameters<typeof openDnsServer>[0],
  {
    env = {},
    ...questions
  }: Omit<MailQuestions, "resolver"> & { readonly env?: Record<string, string> } = {},
) {
  const dns = await openDnsServer(records);
  const mailbox = await openMailbox();
  opened.push(dns, mailbox);
  const { config } = loadConfig(
    { ...mailbox.env, ...from, ...env },
    {
      cwd: temporaryDirectory("doctor"),
      readFile: () => "",
      secretFileRisk: () => null,
      isTerminal: false,
      cpuCount: 2,
      hasIpv6: () => true,
      platform: "linux",
    },
  );
  const checks = await mailChecks(config, Date.now, { ...questions, resolver: dns.resolver });
  const only = (name: string) => checks.filter((check) => check.name === name)[0];
  return { checks, only, mailbox };
}

describe("doctor's look at mail", () => {
  test("finds nothing wrong where all is well, and sends nothing", async () => {
    const { checks, mailbox } = await checksOf(sound, { dkimSelector: "one" });
    expect(checks).toEqual([
      {
        name: "mail server",
        status: "ok",
        detail: expect.stringMatching(
          /^127\.0\.0\.1:\d+ \(this machine\) answers and wants no login, in \d+ ms, without TLS$/,
        ),
      },
      { name: "SPF", status: "ok", detail: "mail.example.org: v=spf1 include:example.net -all" },
      { name: "DKIM", status: "ok", detail: "one._domainkey.mail.example.org has a key" },
      { name: "DMARC", status: "ok", detail: "_dmarc.mail.example.org: v=DMARC1; p=quarantine" },
    ]);
    expect(mailbox.mails).toEqual([]);
  });

  test("sends a mail where it is told to", async () => {
    const { only, mailbox } = await checksOf(sound, { sendTest: "ann@example.com" });
    expect(only("mail test")).toEqual({ name: "mail test", status: "ok", detail: "taken: 250 queued" });
    expect((await mailbox.next("ann@example.com")).subject).toBe("A test of latchkey's mail");
    expect(only("DKIM")).toMatchObject({ status: "ok", detail: expect.stringContaining("not looked up") });
  });

  test("warns where the DNS has no records, and says which", async () => {
    const { checks } = await checksOf({}, { dkimSelector: "one" });
    const found = checks.slice(1).map(({ name, status, remedy = "" }) => [name, status, remedy.slice(0, 40)]);
    expect(found).toEqual([
      ["SPF", "warning", "add the TXT record of mail.example.org t"],
      ["DKIM", "warning", "add the record of one._domainkey.mail.ex"],
      ["DMARC", "warning", "add a TXT record of _dmarc.example.org: "],
    ]);
  });

  test.each([
    { name: "SPF", records: { "mail.example.org": ["v=spf1 -all", "v=spf1 ~all"] }, detail: "2 records" },
    { name: "SPF", records: { "mail.example.org": ["v=spf1 +all"] }, detail: "lets everybody" },
    { name: "SPF", records: { "mail.example.org": ["v=spf10 -all"] }, detail: "no record" },
    { name: "DKIM", records: { "one._domainkey.mail.example.org": ["v=DKIM1; p="] }, detail: "was revoked" },
    {
      name: "DMARC",
      records: { "_dmarc.mail.example.org": ["v=DMARC1; p=none", "v=DMARC1; p=none"] },
      detail: "2 records",
    },
    {
      name: "SPF",
      records: { "mail.example.org": null },
      detail: "the DNS did not tell of mail.example.org",
    },
  ])("warns of $name: $detail", async ({ name, records, detail }) => {
    const { only } = await checksOf({ ...sound, ...records }, { dkimSelector: "one" });
    expect(only(name)).toMatchObject({ status: "warning", detail: expect.stringContaining(detail) });
    expect(only(name)?.remedy).not.toBe("");
  });

  test("takes the policy of the domain above", async () => {
    const { only } = await checksOf({ "_dmarc.example.org": ["v=DMARC1; p=reject"] });
    expect(only("DMARC")).toMatchObject({ status: "ok", detail: "_dmarc.example.org: v=DMARC1; p=reject" });
  });

  test.each([
    { at: "GREETING", reply: "554 no service", remedy: "correct host and port" },
    { at: "AUTH", reply: "535 who are you", remedy: "correct user and password" },
  ])("fails where the server says $reply, whatever the DNS says", async ({ at, reply, remedy }) => {
    const smtp = openScriptedSmtp((command) => {
      if (command === at) return reply;
      return command === "EHLO" ? "250-here\r\n250 AUTH PLAIN" : undefined;
    });
    opened.push(smtp);
    const { only } = await checksOf(sound, {
      env: { SMTP_URL: `smtp://ann:topsecret@127.0.0.1:${smtp.port}` },
      sendTest: "ann@example.com",
    });
    for (const name of ["mail server", "mail test"])
      expect(only(name)).toMatchObject({
        status: "failure",
        detail: expect.stringContaining(reply),
        remedy: expect.stringContaining(remedy),
      });
    expect(JSON.stringify(only("mail server"))).not.toContain("topsecret");
    expect(only("SPF")?.status).toBe("ok");
  });

  test("gives up a server that hangs, within its time", async () => {
    const smtp = openScriptedSmtp((command) => (command === "EHLO" ? null : undefined));
    opened.push(smtp);
    const begun = performance.now();
    const { only } = await checksOf(sound, { env: { SMTP_URL: `smtp://127.0.0.1:${smtp.port}` } });
    expect(only("mail server")?.status).toBe("failure");
    expect(performance.now() - begun).toBeLessThan(20_000);
  });

  describe("over TLS", () => {
    const doctor = async (certificate: ReturnType<typeof makeCertificate>, trusted: boolean) => {
      const { key, cert, path } = certificate;
      const mailbox = await openMailbox({ secure: true, key, cert, disabledCommands: ["AUTH"] });
      opened.push(mailbox);
      const { stdout } = await runLatchkey(["doctor", "--json"], {
        env: {
          ...from,
          SMTP_URL: `smtps://localhost:${mailbox.port}`,
          ...(trusted ? { NODE_EXTRA_CA_CERTS: path } : {}),
        },
      });
      const { checks } = JSON.parse(stdout) as { checks: readonly Check[] };
      return checks.find(({ name }) => name === "mail server");
    };
    const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

    test("says which TLS it is, and when the certificate ends", async () => {
      expect(await doctor(makeCertificate(["DNS:localhost"], 30), true)).toEqual({
        name: "mail server",
        status: "ok",
        detail: expect.stringMatching(
          new RegExp(
            `^localhost:\\d+ \\(TLS\\) answers .* over TLSv1\\.3; its certificate ends on ${inDays(30)}$`,
          ),
        ),
      });
    });

    test("warns of a certificate that ends within two weeks", async () => {
      expect(await doctor(makeCertificate(["DNS:localhost"], 5), true)).toMatchObject({
        status: "warning",
        detail: expect.stringContaining(`ends on ${inDays(5)}`),
      });
    });

    test("fails where nobody vouches for the certificate, and says how it is trusted", async () => {
      expect(await doctor(makeCertificate(["DNS:localhost"]), false)).toMatchObject({
        status: "failure",
        remedy: expect.stringContaining("NODE_EXTRA_CA_CERTS"),
      });
    });
  });
});

describe("latchkey doctor", () => {
  test("says nothing of mail where none is set, unless it is to send one", async () => {
    const { stdout } = await runCommand(["doctor", "--json"]);
    expect(stdout).not.toMatch(/"name":"(?:mail|SPF|DKIM|DMARC)/);
    const test = await runCommand(["doctor", "--send-test", "ann@example.com"]);
    expect([test.exitCode, test.stdout]).toEqual([
      1,
      expect.stringContaining("mail test: no mail server is set"),
    ]);
  });

  test.each([
    { args: ["--send-test", "nobody"], message: "nobody: Invalid email" },
    { args: ["--dkim-selector", "a b"], message: "It is no name of a DKIM record." },
  ])("refuses $args with exit status 2", async ({ args, message }) => {
    const { exitCode, stderr } = await runCommand(["doctor", ...args]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  test("names what is wrong with the settings instead", async () => {
    const { stdout } = await runCommand(["doctor"], { env: { SMTP_URL: "mail.example.com" } });
    expect(stdout).toContain(
      "mail server: could not be checked: SMTP_URL does not begin with smtps:// or smtp://",
    );
  });
});
