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
let docs: Bun.Server<undefined>;
let context: BrowserContext;

beforeAll(async () => {
  docs = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response("<h1>The docs</h1>", { headers: { "content-type": "text/html" } }),
  });
  database = await openTestDatabase("sqlite");
  server = await spawnLatchkey({ env: { ...database.env, BETTER_AUTH_TRUSTED_ORIGINS: docsOrigin() } });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await server.stop();
  await database.close();
  await docs.stop(true);
});
afterEach(async () => {
  await context.close();
});

const docsOrigin = () => `http://localhost:${docs.port}`;

async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
  context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(server.origin + path);
  return page;
}

const errorOf = (page: Page, id: string) => page.locator(`#${id}-error`).innerText();

describe("with JavaScript off", () => {
  const plain = { javaScriptEnabled: false };

  test("a visitor signs up, comes back to the docs, and manages the account to its end", async () => {
    const target = `${docsOrigin()}/guide?a=1&b=%2F#part`;
    const page = await open(`/signin?callbackUrl=${encodeURIComponent(target)}`, plain);
    await page.getByRole("link", { name: "Create an account" }).click();
    await field(page, "Email").fill("nobody");
    await press(page, "Create account");
    expect(await errorOf(page, "name")).toContain("Enter your name.");
    const email = await signUp(page);
    expect(page.url()).toBe(target);

    await page.goto(`${server.origin}/account`);
    await field(page, "Name").fill("Ann <Other>");
    await press(page, "Save name");
    expect(await page.getByRole("status").innerText()).toBe("Your name is saved.");
    expect(await field(page, "Name").inputValue()).toBe("Ann <Other>");

    await field(page, "Current password").fill("not this one");
    await field(page, "New password").fill(`${password}!`);
    await press(page, "Change password");
    expect(await errorOf(page, "current-password")).toContain("This is not your current password.");
    await field(page, "Current password").fill(password);
    await field(page, "New password").fill(`${password}!`);
    await press(page, "Change password");
    expect(await page.getByRole("status").innerText()).toContain("Your password is changed");

    await press(page, "Sign out");
    expect(page.url()).toBe(`${server.origin}/signin`);
    expect(await page.getByRole("status").innerText()).toBe("You are signed out.");
    await field(page, "Email").fill(email);
    await field(page, "Password").fill(password);
    await page.getByLabel("Keep me signed in").uncheck();
    await press(page, "Sign in");
    expect(await errorOf(page, "password")).toContain("The email or the password is not right.");
    expect([
      await field(page, "Email").inputValue(),
      await field(page, "Password").inputValue(),
      await page.getByLabel("Keep me signed in").isChecked(),
    ]).toEqual([email, "", false]);
    await field(page, "Password").fill(`${password}!`);
    await press(page, "Sign in");
    expect(page.url()).toBe(`${docsOrigin()}/`);
    const cookie = (await context.cookies(server.origin)).find(({ name }) => name.endsWith("session_token"));
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Lax", expires: -1 });

    await page.goto(`${server.origin}/account`);
    await page.getByText("Delete my account…").click();
    await field(page, "Enter your password to confirm").fill(`${password}!`);
    await press(page, "Delete my account");
    expect(await page.locator("h1").innerText()).toBe("Your account is deleted");
    await page.goto(`${server.origin}/account`);
    expect(page.url()).toStartWith(`${server.origin}/signin`);
    expect(await database.query(`SELECT id FROM "user" WHERE email = $1`, [email])).toEqual([]);
  });

  test("there is no button to reveal a password", async () => {
    const page = await open("/signin", plain);
    expect(await page.getByRole("button").allInnerTexts()).toEqual(["Sign in"]);
  });
});

describe("by keyboard alone", () => {
  const focused = (page: Page) =>
    page.evaluate(() => {
      const { activeElement } = document;
      return activeElement?.id || activeElement?.textContent?.trim() || "";
    });
  /** The browser gives the first field its focus some time after the page is loaded. */
  const hasFocus = (page: Page) => page.waitForFunction(() => document.activeElement !== document.body);
  /** Tabs on and names what gets the focus, once round the page. */
  const tabOrder = async (page: Page, stops: number) => {
    await hasFocus(page);
    const seen: string[] = [];
    for (let stop = 0; stop < stops; stop += 1) {
      seen.push(await focused(page));
      await page.keyboard.press("Tab");
    }
    return seen;
  };
  const submit = (page: Page) => Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  const type = (page: Page, text: string) => page.keyboard.type(text);

  test("the focus starts in the first field and follows what is read", async () => {
    const page = await open("/signin");
    expect(await tabOrder(page, 7)).toEqual([
      "email",
      "password",
      "Show",
      "remember",
      "Sign in",
      "Forgot your password?",
      "Create an account",
    ]);
    await page.goto(`${server.origin}/signup`);
    expect(await tabOrder(page, 6)).toEqual([
      "name",
      "email",
      "password",
      "Show",
      "Create account",
      "Sign in",
    ]);
  });

  test("a visitor signs up, mends an error, changes the name, and deletes the account", async () => {
    const page = await open("/signup?callbackUrl=/account");
    await hasFocus(page);
    await type(page, "Ann Example");
    await page.keyboard.press("Tab");
    await type(page, newEmail());
    await page.keyboard.press("Tab");
    await type(page, "short");
    await submit(page);
    await hasFocus(page);
    expect(await focused(page)).toBe("password");
    expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-invalid"))).toBe("true");
    expect(await page.title()).toStartWith("Error: ");
    await type(page, password);
    await submit(page);
    expect(page.url()).toBe(`${server.origin}/account`);

    // Nothing has the focus on this page until somebody gives it.
    await page.keyboard.press("Tab");
    expect(await tabOrder(page, 9)).toEqual([
      "Sign out",
      expect.stringMatching(/^Back to localhost/),
      "name",
      "current-password",
      "Show",
      "new-password",
      "Show",
      "revoke-others",
      "Delete my account…",
    ]);
    // A change shows the button that saves it, next after the field.
    await field(page, "Name").focus();
    await page.keyboard.press("End");
    await type(page, " Other");
    await page.keyboard.press("Tab");
    expect(await focused(page)).toBe("Save name");
    await submit(page);
    expect(await page.locator("h1").innerText()).toBe("Ann Example Other");

    await page.locator("summary").focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.activeElement?.id === "delete-password");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    expect(await focused(page)).toBe("Cancel");
    await page.keyboard.press("Enter");
    expect(await focused(page)).toBe("Delete my account…");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.activeElement?.id === "delete-password");
    await type(page, password);
    await submit(page);
    expect(await page.locator("h1").innerText()).toBe("Your account is deleted");
  });

  test("every stop has a visible focus", async () => {
    const page = await open("/signin");
    await hasFocus(page);
    for (let stop = 0; stop < 6; stop += 1) {
      const outline = await page.evaluate(() => {
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement ?? document.body);
        return outlineStyle === "solid" ? Number.parseFloat(outlineWidth) : 0;
      });
      expect(outline).toBeGreaterThanOrEqual(2);
      await page.keyboard.press("Tab");
    }
  });
});
