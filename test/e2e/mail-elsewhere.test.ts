import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { createClient } from "../support/client.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { addMember, memberPassword } from "../support/member.ts";
import { collectOutput, parseObject } from "../support/process-output.ts";
import { ensureVirtualEnvironment } from "../support/python.ts";
import { forgetProcess, watchProcess } from "../support/reaper.ts";

setDefaultTimeout(60_000);

/** What Python's own `email` reads of a message that `aiosmtpd` took. */
interface ReadMail {
  readonly envelopeFrom: string;
  readonly envelopeTo: readonly string[];
  readonly headers: readonly (readonly [string, string])[];
  readonly to: readonly string[];
  readonly from: readonly (readonly [string, string])[];
  readonly type: string;
  readonly parts: readonly (readonly [string, string])[];
  readonly defects: readonly string[];
  readonly longestLine: number;
}

const folder = join(import.meta.dir, "..", "support", "mail");
const sender = "Größe & Söhne";

let database: TestDatabase;
let server: RunningLatchkey;
let receiver: Bun.Subprocess<"ignore", "pipe", "inherit">;
let lines: () => string;

beforeAll(async () => {
  database = await openTestDatabase("sqlite");
  const python = await ensureVirtualEnvironment(join(folder, "requirements.txt"));
  receiver = Bun.spawn([python, join(folder, "receiver.py")], {
    env: {},
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  watchProcess(receiver.pid, "TERM");
  const output = collectOutput(receiver.stdout, {});
  lines = output.text;
  await until(() => printed().length === 1);
  server = await spawnLatchkey({
    env: {
      ...database.env,
      SMTP_URL: `smtp://127.0.0.1:${String(printed()[0]?.["port"])}`,
      LATCHKEY_MAIL_FROM: "accounts@example.org",
      LATCHKEY_BRAND_NAME: sender,
      LATCHKEY_EMAIL_VERIFICATION: "optional",
    },
  });
});
afterAll(async () => {
  await server.stop();
  receiver.kill();
  await receiver.exited;
  forgetProcess(receiver.pid);
  await database.close();
});

const printed = () => lines().split("\n").flatMap(parseObject);
async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries += 1) {
    if (tries > 800) throw new Error(`it never came: ${lines()}`);
    await Bun.sleep(25);
  }
}
async function mailTo(address: string, count = 1): Promise<ReadMail> {
  const found = () => (printed() as unknown as ReadMail[]).filter(({ to }) => to?.[0] === address);
  await until(() => found().length >= count);
  const newest = found()[count - 1];
  if (newest === undefined) throw new Error(`no mail to ${address}`);
  return newest;
}

/** What every mail is, to a reader who never saw the program that made it. */
function requireSound(mail: ReadMail, to: string, language: string): void {
  const values = (name: string) =>
    mail.headers.flatMap(([header, value]) => (header.toLowerCase() === name ? [value] : []));
  expect(mail).toMatchObject({
    envelopeFrom: "accounts@example.org",
    envelopeTo: [to],
    to: [to],
    from: [[sender, "accounts@example.org"]],
    type: "multipart/alternative",
    defects: [],
  });
  expect(mail.parts.map(([type]) => type)).toEqual(["text/plain", "text/html"]);
  // RFC 5322 §2.1.1.
  expect(mail.longestLine).toBeLessThan(998);
  for (const name of ["date", "message-id", "subject", "mime-version"]) expect(values(name)).toHaveLength(1);
  expect([values("auto-submitted"), values("precedence"), values("content-language")]).toEqual([
    ["auto-generated"],
    ["bulk"],
    [language],
  ]);
  for (const name of ["list-unsubscribe", "bcc", "cc", "reply-to", "x-mailer"])
    expect(values(name)).toEqual([]);
  expect(values("message-id")[0]).toMatch(/^<[0-9a-f]{32}@example\.org>$/);
}

test.each(["en", "de", "es", "fr", "ja"])(
  "mail in %s is sound to another server and another reader, whatever people are called",
  async (language) => {
    const headers = { "accept-language": language };
    const email = `ann-${language}@example.com`;
    const client = createClient(server.origin);
    const name = "Ann\r\nBcc: evil@example.net\r\n\r\nhttps://evil.example/";
    await client.auth.signUp.email({ email, name, password: memberPassword }, { headers });
    const verification = await mailTo(email);
    requireSound(verification, email, language);
    expect(JSON.stringify(verification)).not.toContain("evil");
    await client.auth.requestPasswordReset({ email }, { headers });
    requireSound(await mailTo(email, 2), email, language);
    const member = await addMember(database);
    const device = member.browser(server.origin, await member.session());
    const newPassword = "a new good password";
    await device.auth.changePassword({ currentPassword: memberPassword, newPassword }, { headers });
    requireSound(await mailTo(member.email), member.email, language);
    await device.auth.deleteUser({ password: newPassword }, { headers });
    requireSound(await mailTo(member.email, 2), member.email, language);
  },
);
