import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import axe from "axe-core";
import type { Browser } from "playwright-core";
import { slugOf, pages } from "../../site/pages.ts";
import { launchBrowser } from "../support/browser.ts";
import { buildOwnSite, type DocsServer, serveDocs } from "../support/docusaurus.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";

setDefaultTimeout(300_000);

const person = { name: "Ada", email: "ada@example.com", password: "correct horse battery" };

describe("latchkey's documents as a site, which builds without a broken link, anchor or picture", () => {
  let site: DocsServer;
  let latchkey: RunningLatchkey;
  let browser: Browser;
  beforeAll(async () => {
    let latchkeyUrl = "";
    site = await serveDocs({
      buildDir: await buildOwnSite(),
      config: () => ({ latchkeyUrl, apiUrl: "http://localhost:1" }),
    });
    latchkey = await spawnLatchkey({ env: { BETTER_AUTH_TRUSTED_ORIGINS: site.url } });
    latchkeyUrl = latchkey.origin;
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await latchkey?.stop();
    await site?.stop();
  });

  test("has every document at its address", async () => {
    const missing: string[] = [];
    for (const page of pages) {
      const url = `${site.url}/docs${slugOf(page)}`;
      if ((await fetch(url)).status !== 200) missing.push(url);
    }
    expect(missing).toEqual([]);
  });

  test("signs its reader in by latchkey, who comes back to the very place", async () => {
    const page = await browser.newPage();
    const place = `${site.url}/docs/troubleshooting#disk-full`;
    await page.goto(place);
    const navbar = page.locator(".navbar__items--right");
    await navbar.getByText("Login").click();
    await page.waitForURL(`${latchkey.origin}/signin?**`);
    await page.getByRole("link", { name: "Create an account" }).click();
    for (const [name, value] of Object.entries(person))
      await page.locator(`main input[name="${name}"]`).first().fill(value);
    await page.locator('main form:has(input[name="password"]) button[type="submit"]').click();
    await page.waitForURL(place);
    await navbar.getByText(person.name).waitFor();
    await page.goto(site.url);
    await navbar.getByText(person.name).waitFor();
    await navbar.getByRole("button", { name: "Logout" }).click();
    await navbar.getByText("Login").waitFor();
    await page.close();
  });

  test.each([
    [1280, "light"],
    [1280, "dark"],
    [360, "light"],
    [360, "dark"],
  ] as const)(
    "%d px wide, %s: axe-core finds nothing, and nothing is wider than the page",
    async (width, scheme) => {
      const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme });
      for (const path of ["/", "/docs", "/docs/troubleshooting", "/docs/contract", "/docs/operations"]) {
        await page.goto(site.url + path);
        await page.locator("h1").first().waitFor();
        await page.evaluate(axe.source);
        const { violations } = await page.evaluate(() =>
          (globalThis as unknown as { axe: typeof axe }).axe.run("main", {
            runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
          }),
        );
        const found = violations.map(({ id, nodes }) => ({
          id,
          at: nodes.slice(0, 3).map(({ html }) => html),
        }));
        expect({ path, found }).toEqual({ path, found: [] });
        expect([path, await page.evaluate("document.documentElement.scrollWidth")]).toEqual([path, width]);
      }
      await page.close();
    },
  );
});
