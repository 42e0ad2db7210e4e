import type { Config, MailConfig } from "../config/config.ts";
import { createCompose } from "./compose.ts";
import type { MailContent } from "./content.ts";
import { MailError, openSmtp } from "./smtp.ts";

type TestConfig = Pick<Config, "baseUrl" | "brandName" | "brandAccent" | "brandAccentDark"> & {
  readonly mail: MailConfig;
};

/** Sends a mail to an operator at once, beside the outbox. @returns what the server said. @throws MailError. */
export async function sendTestMail(
  config: TestConfig,
  recipient: string,
  now: number,
  signal?: AbortSignal,
): Promise<string> {
  const { host } = new URL(config.baseUrl);
  const content: MailContent = {
    language: "en",
    subject: `A test of ${config.brandName}'s mail`,
    greeting: "Hello,",
    before: [`somebody who runs ${host} has sent this, to see whether mail arrives. It does.`],
    after: ["Look at where it was sorted in: mail that is taken for spam is read by nobody."],
    footer: [`${config.brandName}, ${host}`],
  };
  const id = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64url");
  const mail = { id, kind: "test", recipient, payload: "{}", createdAt: now };
  const message = await createCompose(config)(mail, content);
  const line = await openSmtp(config.mail, signal);
  const said = await line.send(message);
  line.close();
  return said;
}

/** The server, fit to print: without the login. */
export function serverOf({ host, port, security }: MailConfig): string {
  const secured = { tls: "TLS", starttls: "STARTTLS", plain: "this machine" }[security];
  return `${host.includes(":") ? `[${host}]` : host}:${port} (${secured})`;
}

/** What to do about a message that was not taken. */
export function mailRemedy(error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  if (/certificate|altnames|CERT_|unable to verify/i.test(said))
    return "name the server as its certificate does, in SMTP_URL; one of your own authority is trusted by NODE_EXTRA_CA_CERTS=/path/ca.pem";
  if (said.startsWith("login"))
    return "correct user and password in SMTP_URL; %, @, : and / are written %25, %40, %3A and %2F";
  if (/STARTTLS|ETLS|TLS/.test(said))
    return "write smtps:// in SMTP_URL for TLS from the first byte (mostly port 465), smtp:// for STARTTLS (587)";
  if (said.startsWith("connect"))
    return "correct host and port in SMTP_URL, and see whether a firewall lets this machine there";
  if (said.includes("MAIL FROM"))
    return "set LATCHKEY_MAIL_FROM to an address that the server lets you send from";
  const isFinal = error instanceof MailError && error.isFinal;
  return isFinal ? "correct the address, or ask who runs the mail server" : "try again in a few minutes";
}
