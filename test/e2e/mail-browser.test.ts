import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser } from "playwright-core";
import { languages } from "../../src/pages/views/messages/languages.ts";
import { launchBrowser } from "../support/browser.ts";
import { createClient } from "../support/client.ts";
import { dialects, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { linkIn, type Mailbox, openMailbox } from "../support/mailbox.ts";
import { addMember } from "../support/member.ts";
import { field, press } from "../support/page-forms.ts";

setDefaultTimeout(60_000);

const another = "a new good password";

/** A mail as a program shows it: no scripts, nothing from elsewhere, and nowhere wider than the window. */
async function requireReadable(browser: Browser, html: string): Promise<void> {
  const asked: string[] = [];
  for (const [width, colorScheme] of [
    [320, "light"],
    [900, "dark"],
  ] as const) {
    const page = await browser.newPage({ viewport: { width, height: 700 }, colorScheme });
    page.on("request", (request) => void asked.push(request.url()));
    await page.setContent(html);
    const seen = await page.evaluate(() => ({
      window: window.innerWidth,
      wide: document.documentElement.scrollWidth,
    }));
    expect(seen).toEqual({ window: width, wide: width });
    await page.close();
  }
  expect(asked).toEqual([]);
  expect(html).not.toContain("<script");
}

describe.each(dialects)("somebody who forgot the password, on %s", (dialect) => {
  let browser: Browser;
  let database: TestDatabase;
  let mailbox: Mailbox;
  let server: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase(dialect);
    mailbox = await openMailbox();
    server = await spawnLatchkey({ env: { ...database.env, ...mailbox.env } });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
    await mailbox.close();
    await database.close();
  });

  test.each(Object.entries(languages).map(([code, m], at) => [code, at % 2 === 0, m] as const))(
    "S18: is back in within a minute, in %s, with JavaScript: %p",
    async (locale, javaScriptEnabled, m) => {
      const started = performance.now();
      const member = await addMember(database);
      const context = await browser.newContext({ locale, javaScriptEnabled });
      const page = await context.newPage();
      await page.goto(`${server.origin}/signin`);
      await Promise.all([
        page.waitForURL((at) => at.pathname === "/forgot-password"),
        page.getByRole("link", { name: m.forgotPassword }).click(),
      ]);
      await field(page, m.email).fill(member.email);
      await press(page, m.sendLink);
      expect(await page.getByRole("status").innerText()).toBe(m.linkSent);
      const mail = await mailbox.next(member.email);
      await page.goto(linkIn(mail).href);
      await field(page, m.newPassword).fill(another);
      await press(page, m.setPassword);
      expect(await page.getByRole("status").innerText()).toBe(m.passwordSet);
      const { error } = await createClient(server.origin).auth.signIn.email({
        email: member.email,
        password: another,
      });
      expect(error).toBeNull();
      expect(performance.now() - started).toBeLessThan(60_000);
      const told = await mailbox.next(member.email, 2);
      expect(mail.html).toContain(`<html lang="${locale}"`);
      for (const { html } of [mail, told]) await requireReadable(browser, html);
      await context.close();
    },
  );
});
