import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { launchBrowser } from "../support/browser.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { field, newEmail, password, press, signUp } from "../support/page-forms.ts";

setDefaultTimeout(60_000);

let browser: Browser;
let database: TestDatabase;
let server: RunningLatchkey;
let context: BrowserContext;

beforeAll(async () => {
  database = await openTestDatabase("sqlite");
  server = await spawnLatchkey({ env: database.env });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await server.stop();
  await database.close();
});
afterEach(async () => {
  await context.close();
});

async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
  context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(server.origin + path);
  return page;
}

describe("with JavaScript", () => {
  test("C10: one button is the primary: the one of the form that was changed last", async () => {
    const page = await open("/signup?callbackUrl=/account");
    await signUp(page);
    const shown = () => page.locator("main .button.primary:visible").allInnerTexts();
    expect(await shown()).toEqual([]);
    await field(page, "Name").fill("Ann Other");
    expect(await shown()).toEqual(["Save name"]);
    await field(page, "Current password").fill("x");
    expect(await shown()).toEqual(["Change password"]);
    expect(await page.getByRole("button", { name: "Save name" }).isVisible()).toBe(true);
    await press(page, "Save name");
    expect(await shown()).toEqual([]);
  });

  test("C10: the time of a sign-in is told in the visitor's zone and language", async () => {
    const page = await open("/signup?callbackUrl=/account", {
      timezoneId: "Asia/Tokyo",
      locale: "de-DE",
    });
    await field(page, "Name").fill("Ann Example");
    await field(page, "E-Mail").fill(newEmail());
    await field(page, "Passwort").fill(password);
    await press(page, "Konto anlegen");
    const time = page.locator("time");
    const at = (await time.getAttribute("datetime")) ?? "";
    const written = new Intl.DateTimeFormat("de-DE", {
      day: "numeric",
      month: "long",
      year: "numeric",
      hour: "2-digit",
      minute: "2-digit",
      timeZone: "Asia/Tokyo",
    }).format(new Date(at));
    expect(await time.innerText()).toBe(written);
  });

  test("C11: errors stand below their fields, and move none of the others", async () => {
    const page = await open("/signup", { viewport: { width: 1280, height: 900 } });
    const places = () =>
      page
        .locator("input:visible, button[type=submit]")
        .evaluateAll((elements) => elements.map((element) => element.getBoundingClientRect().top));
    const before = await places();
    await press(page, "Create account");
    expect(await page.locator(".error").count()).toBe(3);
    expect(await places()).toEqual(before);
    for (const id of ["name", "email", "password"]) {
      const [input, error] = await Promise.all([
        page.locator(`#${id}`).boundingBox(),
        page.locator(`#${id}-error`).boundingBox(),
      ]);
      expect(error?.y ?? 0).toBeGreaterThanOrEqual((input?.y ?? 0) + (input?.height ?? 0));
    }
    expect(
      await page
        .locator(".error")
        .first()
        .evaluate((error) => getComputedStyle(error).fontWeight),
    ).toBe("400");
  });

  test("C11: a new password is told how much of it is missing, in words", async () => {
    const page = await open("/signup", { viewport: { width: 1280, height: 900 } });
    await press(page, "Create account");
    const told = page.locator("#password").locator("xpath=ancestor::div[@class='field']").locator("p").last();
    const top = async () => (await page.getByRole("button", { name: "Create account" }).boundingBox())?.y;
    const before = await top();
    await field(page, "Password").pressSequentially("short");
    expect(await told.innerText()).toBe("Characters still missing: 3.");
    // Counted as the server does: one character each, however many bytes.
    await field(page, "Password").pressSequentially("🔑🔑🔑");
    expect(await told.innerText()).toBe("Long enough.");
    expect(await top()).toBe(before);
    expect(await page.locator("#password-error").count()).toBe(0);
  });

  test("S9: a password can be pasted and looked at, and is sent as a password", async () => {
    const page = await open("/signin", { permissions: ["clipboard-read", "clipboard-write"] });
    const input = field(page, "Password");
    await page.evaluate((text) => navigator.clipboard.writeText(text), password);
    await input.focus();
    await page.keyboard.press("ControlOrMeta+V");
    expect(await input.inputValue()).toBe(password);
    await page.getByRole("button", { name: "Show password" }).click();
    expect([await input.getAttribute("type"), await input.inputValue()]).toEqual(["text", password]);
    expect(await page.getByText("Your password is visible").count()).toBe(1);
    await page.evaluate(() => {
      addEventListener("submit", (event) => {
        document.title = document.querySelector<HTMLInputElement>("#password")?.type ?? "";
        event.preventDefault();
      });
    });
    await page.getByRole("button", { name: "Sign in" }).click();
    expect(await page.title()).toBe("password");
    const hints = await page
      .locator("input:not([type=hidden])")
      .evaluateAll((inputs) => inputs.map((one) => one.getAttribute("autocomplete")));
    expect(hints).toEqual(["username", "current-password", null]);
  });

  test("a form on its way says so and is sent once", async () => {
    const page = await open("/signin");
    await page.evaluate(() => {
      document.title = "";
      addEventListener("submit", (event) => {
        document.title += event.defaultPrevented ? "held," : "sent,";
        event.preventDefault();
      });
    });
    const button = page.locator("button[type=submit]");
    await button.click();
    await button.click({ force: true });
    expect({
      sent: await page.title(),
      text: await button.innerText(),
      disabled: await button.getAttribute("aria-disabled"),
    }).toEqual({ sent: "sent,held,", text: "Signing in…", disabled: "true" });
  });

  test("Back after signing out does not show the account", async () => {
    const page = await open("/signup?callbackUrl=/account");
    const email = await signUp(page);
    expect(await page.content()).toContain(email);
    await press(page, "Sign out");
    await page.goBack();
    expect(await page.content()).not.toContain(email);
  });

  test("one device signs another out", async () => {
    const page = await open("/signup?callbackUrl=/account");
    const email = await signUp(page);
    const elsewhere = await browser.newContext({
      userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    });
    const other = await elsewhere.newPage();
    await other.goto(`${server.origin}/signin?callbackUrl=/account`);
    await field(other, "Email").fill(email);
    await field(other, "Password").fill(password);
    await press(other, "Sign in");
    await page.reload();
    expect(await page.getByText("Active within the last day").count()).toBe(1);
    await Promise.all([
      page.waitForEvent("load"),
      page.getByRole("button", { name: /^Sign out Firefox on Linux/ }).click(),
    ]);
    expect(await page.getByRole("status").innerText()).toBe("The device is signed out.");
    await other.reload();
    expect(other.url()).toStartWith(`${server.origin}/signin`);
    await elsewhere.close();
  });
});
