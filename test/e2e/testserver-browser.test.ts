import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { launchBrowser } from "../support/browser.ts";
import { buildDocs, type DocsServer, serveDocs } from "../support/docusaurus.ts";
import { type RunningTestserver, startTestserver } from "../support/testserver.ts";

setDefaultTimeout(180_000);

let browser: Browser;
let latchkey: RunningTestserver;
let docs: DocsServer;
beforeAll(async () => {
  const config = () => ({ latchkeyUrl: latchkey.baseUrl, apiUrl: "http://localhost:1" });
  docs = await serveDocs({ buildDir: await buildDocs(), config });
  [browser, latchkey] = await Promise.all([launchBrowser(), startTestserver(["--origin", docs.url])]);
});
afterAll(async () => {
  await Promise.all([browser.close(), latchkey.stop(), docs.stop()]);
});

const navbar = (page: Page) => page.locator(".navbar__items--right");
/** As docs/clients.md says: the cookie, where the pages are. */
async function openAs(cookie: string | undefined): Promise<Page> {
  const context = await browser.newContext();
  const [name = "", value = ""] = cookie?.split("=") ?? [];
  if (cookie !== undefined) await context.addCookies([{ name, value, url: latchkey.baseUrl }]);
  const page = await context.newPage();
  await page.goto(`${docs.url}/docs/intro`);
  return page;
}

describe("the Docusaurus example on a testserver", () => {
  test("shows each user by the cookie alone, and a stranger where to sign in", async () => {
    const [ann, ben] = latchkey.users;
    for (const user of [ann, ben]) {
      const page = await openAs(user?.cookie);
      await navbar(page)
        .getByText(user?.name ?? "")
        .waitFor();
      await page.context().close();
    }
    const page = await openAs(undefined);
    await navbar(page).getByText("Login").waitFor();
    expect(await navbar(page).innerText()).not.toContain("User");
    await page.context().close();
  });

  test("signs a user out, and in again by the password", async () => {
    const [ann] = latchkey.users;
    const page = await openAs(ann?.cookie);
    await navbar(page).getByRole("button", { name: "Logout" }).click();
    await navbar(page).getByText("Login").click();
    await page.getByLabel("Email", { exact: true }).fill(ann?.email ?? "");
    await page.getByLabel("Password", { exact: true }).fill(ann?.password ?? "");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.waitForURL(`${docs.url}/docs/intro`);
    await navbar(page)
      .getByText(ann?.name ?? "")
      .waitFor();
    await page.context().close();
  });
});
