/** `bun test/mail/screenshots.ts [directory [language]]`: pictures of mails, as a program shows them; those of the documents by default. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { launchBrowser } from "../support/browser.ts";
import { createClient } from "../support/client.ts";
import { openTestDatabase } from "../support/databases.ts";
import { spawnLatchkey } from "../support/executable.ts";
import { linkIn, openMailbox, type ReceivedMail } from "../support/mailbox.ts";
import { addMember, memberPassword } from "../support/member.ts";

const [directory = join(import.meta.dir, "../../docs/screenshots"), language = "en"] = process.argv.slice(2);
mkdirSync(directory, { recursive: true });

const database = await openTestDatabase("sqlite");
const mailbox = await openMailbox();
const server = await spawnLatchkey({
  env: {
    ...database.env,
    ...mailbox.env,
    BETTER_AUTH_URL: "http://localhost:3991",
    PORT: "3991",
    LATCHKEY_BRAND_NAME: "Example",
    LATCHKEY_CONTACT: "help@example.com",
    LATCHKEY_EMAIL_VERIFICATION: "optional",
  },
});
const member = await addMember(database);
const { auth } = createClient(server.origin);
const headers = {
  "accept-language": language,
  "user-agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Gecko/20100101 Firefox/140.0",
};
const mails = new Map<string, ReceivedMail>();
await auth.requestPasswordReset({ email: member.email }, { headers });
mails.set("recovery", await mailbox.next(member.email));
const email = "ann@example.com";
await auth.signUp.email({ email, name: "Ann", password: memberPassword }, { headers });
mails.set("verification", await mailbox.next(email));
const device = member.browser(server.origin, await member.session());
await device.auth.changePassword(
  { currentPassword: memberPassword, newPassword: "a new good password" },
  { headers },
);
mails.set("password-changed", await mailbox.next(member.email, 2));

const browser = await launchBrowser();
for (const [name, { html }] of mails)
  for (const [view, width, colorScheme] of [
    ["desktop", 900, "light"],
    ["phone", 390, "dark"],
  ] as const) {
    const page = await browser.newPage({
      viewport: { width, height: 600 },
      colorScheme,
      deviceScaleFactor: 2,
    });
    await page.setContent(html);
    await page.screenshot({ path: join(directory, `mail-${name}-${view}.png`), fullPage: true });
    await page.close();
  }
const link = linkIn(mails.get("verification") ?? (await mailbox.next(email)));
for (const [name, url] of [
  ["forgot-password", `${server.origin}/forgot-password`],
  ["verify", `${server.origin}/verify`],
  ["confirm", link.href],
] as const) {
  const page = await browser.newPage({
    viewport: { width: 390, height: 640 },
    deviceScaleFactor: 2,
    locale: language,
  });
  await page.goto(url);
  await page.screenshot({ path: join(directory, `${name}-phone.png`), fullPage: true });
  await page.close();
}
await browser.close();
await server.stop();
await mailbox.close();
await database.close();
