import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { launchBrowser } from "../support/browser.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery";
let people = 0;
const newEmail = () => `visitor-${(people += 1)}@example.com`;

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

const field = (page: Page, label: string) => page.getByLabel(label, { exact: true });
const press = (page: Page, name: string) =>
  Promise.all([page.waitForEvent("load"), page.getByRole("button", { name, exact: true }).click()]);
const errorOf = (page: Page, id: string) => page.locator(`#${id}-error`).innerText();

async function signUp(page: Page, email = newEmail()): Promise<string> {
  await field(page, "Name").fill("Ann Example");
  await field(page, "Email").fill(email);
  await field(page, "Password").fill(password);
  await press(page, "Create account");
  return email;
}

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
