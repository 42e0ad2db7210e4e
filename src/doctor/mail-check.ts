import { Resolver } from "node:dns/promises";
import { getDomain } from "tldts";
import type { Config, MailConfig } from "../config/config.ts";
import { reasonOf } from "../errors.ts";
import { openSmtp, saidOf } from "../mail/smtp.ts";
import { mailRemedy, sendTestMail, serverOf } from "../mail/test-mail.ts";
import { type Check, failed, passed, warned } from "./check.ts";

/** What is asked about mail beyond what is looked at anyway. */
export interface MailQuestions {
  /** Whom a mail is sent to. */
  readonly sendTest?: string;
  /** Of the DKIM record that is looked up. */
  readonly dkimSelector?: string;
  /** What asks the DNS; default the system's servers. */
  readonly resolver?: Pick<Resolver, "resolveTxt">;
}

const smtpDeadlineMs = 15_000;
const testDeadlineMs = 60_000;
const soonMs = 14 * 24 * 60 * 60_000;

/** Checks that the mail server takes a connection and the login, and what the DNS says of the sender's domain. */
export async function mailChecks(
  config: Config,
  now: () => number,
  { sendTest, dkimSelector, resolver = new Resolver({ timeout: 2_000, tries: 2 }) }: MailQuestions,
): Promise<readonly Check[]> {
  const { mail } = config;
  const test = "mail test";
  if (mail === null)
    return sendTest === undefined
      ? []
      : [failed(test, "no mail server is set", "set SMTP_URL and LATCHKEY_MAIL_FROM")];
  const domain = mail.fromAddress.slice(mail.fromAddress.lastIndexOf("@") + 1).toLowerCase();
  const server = await serverCheck(mail, now());
  const records = await Promise.all([
    spfCheck(domain, resolver),
    dkimCheck(domain, dkimSelector, resolver),
    dmarcCheck(domain, resolver),
  ]);
  if (sendTest === undefined) return [server, ...records];
  try {
    const signal = AbortSignal.timeout(testDeadlineMs);
    const said = await sendTestMail({ ...config, mail }, sendTest, now(), signal);
    return [server, ...records, passed(test, `taken: ${said}`)];
  } catch (error) {
    return [server, ...records, failed(test, saidOf(error, sendTest), mailRemedy(error))];
  }
}

async function serverCheck(mail: MailConfig, now: number): Promise<Check> {
  const name = "mail server";
  const server = serverOf(mail);
  const begun = performance.now();
  try {
    const line = await openSmtp(mail, AbortSignal.timeout(smtpDeadlineMs));
    const secured = line.secured();
    line.close();
    const took = `${Math.ceil(performance.now() - begun)} ms`;
    const login = mail.login === null ? "wants no login" : "took the login";
    const found = `${server} answers and ${login}, in ${took}`;
    if (secured === null) return passed(name, `${found}, without TLS`);
    const { protocol, certificateEndsAt: end } = secured;
    // On this machine nobody looks at it.
    if (mail.security === "plain" || Number.isNaN(end)) return passed(name, `${found}, over ${protocol}`);
    const detail = `${found}, over ${protocol}; its certificate ends on ${new Date(end).toISOString().slice(0, 10)}`;
    if (end - now > soonMs) return passed(name, detail);
    return warned(name, detail, "have the certificate renewed: without it no mail is sent");
  } catch (error) {
    return failed(name, `${server}: ${reasonOf(error)}`, mailRemedy(error));
  }
}

type DnsResolver = Pick<Resolver, "resolveTxt">;

async function spfCheck(domain: string, resolver: DnsResolver): Promise<Check> {
  return await recordCheck("SPF", domain, async () => {
    const records = await recordsOf(domain, /^v=spf1(?: |$)/i, resolver);
    const [record, ...more] = records;
    const remedy = `add the TXT record of ${domain} that who runs the mail server asks for, such as v=spf1 include:… -all`;
    if (record === undefined)
      return warned("SPF", `${domain} has no record of who may send its mail: it may end as spam`, remedy);
    // RFC 7208 §4.5
    if (more.length > 0)
      return warned("SPF", `${domain} has ${records.length} records, of which none counts`, "leave one");
    if (/(?:^| )\+?all$/i.test(record))
      return warned("SPF", `${domain} lets everybody send its mail: ${record}`, "end it with -all or ~all");
    return passed("SPF", `${domain}: ${record}`);
  });
}

async function dkimCheck(
  domain: string,
  selector: string | undefined,
  resolver: DnsResolver,
): Promise<Check> {
  const say = "latchkey doctor --dkim-selector NAME looks; who runs the mail server knows the name";
  if (selector === undefined) return passed("DKIM", `not looked up: ${say}`);
  const host = `${selector}._domainkey.${domain}`;
  return await recordCheck("DKIM", host, async () => {
    const [record] = await recordsOf(host, /(?:^|;)\s*p=/i, resolver);
    const remedy = `add the record of ${host} that who runs the mail server asks for`;
    if (record === undefined) return warned("DKIM", `${host} has no key: it may end as spam`, remedy);
    // RFC 6376 §3.6.1
    if (/(?:^|;)\s*p=\s*(?:;|$)/i.test(record))
      return warned("DKIM", `the key of ${host} was revoked`, remedy);
    return passed("DKIM", `${host} has a key`);
  });
}

async function dmarcCheck(domain: string, resolver: DnsResolver): Promise<Check> {
  const above = getDomain(domain);
  // RFC 7489 §6.6.3
  const domains = [...new Set([domain, above ?? domain])];
  return await recordCheck("DMARC", `_dmarc.${domain}`, async () => {
    for (const one of domains) {
      const records = await recordsOf(`_dmarc.${one}`, /^v=DMARC1(?:\s*;|$)/i, resolver);
      if (records.length > 1)
        return warned(
          "DMARC",
          `_dmarc.${one} has ${records.length} records, of which none counts`,
          "leave one",
        );
      if (records[0] !== undefined) return passed("DMARC", `_dmarc.${one}: ${records[0]}`);
    }
    const remedy = `add a TXT record of _dmarc.${domains.at(-1)}: v=DMARC1; p=none at first, p=quarantine once all is well`;
    return warned("DMARC", `${domain} has no policy: large providers sort its mail out`, remedy);
  });
}

/** A DNS that does not answer is no fault of the mail server's. */
async function recordCheck(name: string, host: string, look: () => Promise<Check>): Promise<Check> {
  try {
    return await look();
  } catch (error) {
    return warned(
      name,
      `the DNS did not tell of ${host}: ${reasonOf(error)}`,
      "see whether this machine has a DNS server that answers",
    );
  }
}

/** @throws what the resolver throws where nobody knows whether there is one. */
async function recordsOf(host: string, kind: RegExp, resolver: DnsResolver): Promise<readonly string[]> {
  try {
    const records = await resolver.resolveTxt(host);
    return records.map((parts) => parts.join("")).filter((record) => kind.test(record));
  } catch (error) {
    const code = (error as { readonly code?: unknown }).code;
    if (code === "ENOTFOUND" || code === "ENODATA") return [];
    throw error;
  }
}
