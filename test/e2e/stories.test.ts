import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { launchBrowser } from "../support/browser.ts";
import { serveDocs } from "../support/docusaurus.ts";
import { startTrio, type Trio } from "../support/trio.ts";

setDefaultTimeout(180_000);

const password = "correct horse battery";
const lesson = "/docs/lessons/sessions?from=mail&x=%20y#what-a-server-must-check";
let people = 0;
const newPerson = () => ({ name: `Ada ${(people += 1)}`, email: `ada-${people}-${Date.now()}@example.com` });
type Person = ReturnType<typeof newPerson>;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
});

const navbar = (page: Page) => page.locator(".navbar__items--right");
const panel = (page: Page) => page.getByRole("region", { name: "Personalize this lesson" });
const fill = async (page: Page, fields: Record<string, string>) => {
  for (const [name, value] of Object.entries(fields))
    await page.locator(`main input[name="${name}"]`).first().fill(value);
};
const submit = (page: Page) =>
  page.locator('main form:has(input[name="password"]) button[type="submit"]').click();

/** From the lesson by "Login to Personalize" and "Create an account" to a new account and back. */
async function signUpFromLesson(trio: Trio, context: BrowserContext, person: Person): Promise<Page> {
  const page = await context.newPage();
  await page.goto(trio.docsUrl + lesson);
  await panel(page).getByText("Login to Personalize").click();
  await page.waitForURL(`${trio.latchkeyUrl}/signin?**`);
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.waitForURL(`${trio.latchkeyUrl}/signup?**`);
  await fill(page, { ...person, password });
  await submit(page);
  await page.waitForURL(trio.docsUrl + lesson);
  return page;
}

const signIn = async (page: Page, email: string, secret = password) => {
  await fill(page, { email, password: secret });
  await submit(page);
};

const sessionCookie = async (trio: Trio, context: BrowserContext) =>
  (await context.cookies(trio.latchkeyUrl)).find((cookie) =>
    cookie.name.endsWith("better-auth.session_token"),
  );

const askApi = async (trio: Trio, cookie: string) =>
  (await fetch(`http://127.0.0.1:${new URL(trio.apiUrl).port}/me`, { headers: { cookie } })).status;

describe.each([
  ["the plan's ports", { ports: { docs: 3000, latchkey: 3001, api: 8000 } }],
  ["free ports", { ports: { docs: 0, latchkey: 0, api: 0 } }],
  [
    "sub-domains with a shared cookie domain",
    {
      ports: { docs: 0, latchkey: 0, api: 0 },
      hosts: { docs: "docs.lk.localhost", latchkey: "auth.lk.localhost", api: "api.lk.localhost" },
      env: { LATCHKEY_COOKIE_DOMAIN: "lk.localhost" },
    },
  ],
])("a visitor, on %s", (_name, options) => {
  let trio: Trio;
  beforeAll(async () => {
    trio = await startTrio(options);
  });
  afterAll(async () => {
    await trio.stop();
  });
  const visit = () => browser.newContext({ ignoreHTTPSErrors: true });

  test("signs up from a lesson, comes back to its exact place, is known after a reload and to the API, and signs out everywhere", async () => {
    const context = await visit();
    const person = newPerson();
    const page = await signUpFromLesson(trio, context, person);
    expect(page.url()).toBe(trio.docsUrl + lesson);
    await navbar(page).getByText(person.name).waitFor();
    await panel(page).getByText(`The API says you are ${person.name} <${person.email}>.`).waitFor();
    await page.reload();
    await navbar(page).getByText(person.name).waitFor();

    const cookie = await sessionCookie(trio, context);
    const header = `${cookie?.name}=${cookie?.value}`;
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Lax" });
    expect(await askApi(trio, header)).toBe(200);
    await navbar(page).getByRole("button", { name: "Logout" }).click();
    await navbar(page).getByText("Login").waitFor();
    expect(await askApi(trio, header)).toBe(401);
    expect(await sessionCookie(trio, context)).toBeUndefined();
    await panel(page).getByText("Login to Personalize").waitFor();
    await context.close();
  });

  test("signs in by the navbar and comes back", async () => {
    const context = await visit();
    const person = newPerson();
    await (await signUpFromLesson(trio, context, person)).close();
    await context.clearCookies();
    const page = await context.newPage();
    await page.goto(`${trio.docsUrl}/docs/intro`);
    await navbar(page).getByText("Login").click();
    await page.waitForURL(`${trio.latchkeyUrl}/signin?**`);
    await signIn(page, person.email);
    await page.waitForURL(`${trio.docsUrl}/docs/intro`);
    await navbar(page).getByText(person.name).click();
    await page.waitForURL(`${trio.latchkeyUrl}/account**`);
    expect(await page.locator("main").innerText()).toContain(person.email);
    await context.close();
  });

  test("whose session has passed its lifetime is signed out everywhere", async () => {
    const context = await visit();
    const page = await signUpFromLesson(trio, context, newPerson());
    const cookie = await sessionCookie(trio, context);
    const token = decodeURIComponent(cookie?.value ?? "").split(".")[0] ?? "";
    const database = new Database(join(trio.latchkey.dir, "data", "latchkey.db"));
    database.run("UPDATE session SET created_at = created_at - 31 * 86400000 WHERE token = ?", [token]);
    database.close();
    expect(await askApi(trio, `${cookie?.name}=${cookie?.value}`)).toBe(401);
    await page.reload();
    await navbar(page).getByText("Login").waitFor();
    await page.goto(`${trio.latchkeyUrl}/account`);
    await page.waitForURL(`${trio.latchkeyUrl}/signin**`);
    await context.close();
  });
});

describe("a visitor who errs", () => {
  let trio: Trio;
  beforeAll(async () => {
    trio = await startTrio({ ports: { docs: 0, latchkey: 0, api: 0 } });
  });
  afterAll(async () => {
    await trio.stop();
  });

  test("is told at the field of an e-mail that is taken and a password that is short, and keeps what was typed and the way back", async () => {
    const context = await browser.newContext();
    const person = newPerson();
    await (await signUpFromLesson(trio, context, person)).close();
    await context.clearCookies();
    const page = await context.newPage();
    const search = new URLSearchParams({ callbackUrl: trio.docsUrl + lesson });
    await page.goto(`${trio.latchkeyUrl}/signup?${search}`);
    for (const [wrong, field] of [
      [{ ...person, password: "1234567" }, "password"],
      [{ ...person, password }, "email"],
    ] as const) {
      await fill(page, wrong);
      // The browser's own check of the length would stop the form.
      await page
        .locator("main form")
        .first()
        .evaluate((form) => form.setAttribute("novalidate", ""));
      await submit(page);
      await page.locator(`input[name="${field}"][aria-invalid="true"]`).waitFor();
      expect(await page.locator('input[name="email"]').inputValue()).toBe(person.email);
      expect(await page.locator('input[name="password"]').inputValue()).toBe("");
    }
    await page.getByRole("link", { name: "Sign in" }).first().click();
    await page.waitForURL(`${trio.latchkeyUrl}/signin?**`);
    await signIn(page, person.email, "not the password");
    const wrongPassword = await page.locator("main").innerText();
    await signIn(page, "nobody@example.com", "not the password");
    await page.waitForFunction(
      () => document.querySelector<HTMLInputElement>('input[name="email"]')?.value === "nobody@example.com",
    );
    expect(await page.locator("main").innerText()).toBe(wrongPassword);
    await signIn(page, person.email);
    await page.waitForURL(trio.docsUrl + lesson);
    await context.close();
  });

  test("on an origin that is not listed gets nothing: the browser itself refuses", async () => {
    const context = await browser.newContext();
    const stranger = await serveDocs({
      buildDir: await import("../support/docusaurus.ts").then(({ buildDocs }) => buildDocs()),
      config: { latchkeyUrl: trio.latchkeyUrl, apiUrl: trio.apiUrl },
    });
    await (await signUpFromLesson(trio, context, newPerson())).close();
    const page = await context.newPage();
    await page.goto(`${stranger.url}/docs/intro`);
    await navbar(page).getByText("Sign-in unavailable").waitFor();
    const read = (url: string) =>
      page.evaluate(
        (address) =>
          fetch(address, { credentials: "include" }).then(
            (response) => response.text(),
            (error: unknown) => String(error),
          ),
        url,
      );
    for (const path of ["/api/auth/get-session", "/api/auth/verify", "/health"]) {
      expect(await read(trio.latchkeyUrl + path)).toContain("TypeError");
    }
    expect(await read(`${trio.apiUrl}/me`)).toContain("TypeError");
    await stranger.stop();
    await context.close();
  });

  test("finds the site readable while latchkey is down, and is told", async () => {
    const context = await browser.newContext();
    const down = await serveDocs({
      buildDir: await import("../support/docusaurus.ts").then(({ buildDocs }) => buildDocs()),
      config: { latchkeyUrl: "http://localhost:1", apiUrl: trio.apiUrl },
    });
    const page = await context.newPage();
    await page.goto(down.url + lesson);
    await navbar(page).getByText("Sign-in unavailable").waitFor();
    expect(await page.locator("article").innerText()).toContain("What a server must check");
    await panel(page).getByText("Personalizing is not possible right now").waitFor();
    await down.stop();
    await context.close();
  });
});
