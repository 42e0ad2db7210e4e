import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser } from "playwright-core";
import { launchBrowser } from "../support/browser.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, runLatchkey, spawnLatchkey } from "../support/executable.ts";
import { addMember } from "../support/member.ts";
import { field, press } from "../support/page-forms.ts";

setDefaultTimeout(60_000);

const another = "a new good password";

describe.each([true, false])("a link that works once, with JavaScript: %p", (javaScriptEnabled) => {
  let browser: Browser;
  let database: TestDatabase;
  let server: RunningLatchkey;
  beforeAll(async () => {
    database = await openTestDatabase("sqlite");
    server = await spawnLatchkey({ env: { ...database.env, LATCHKEY_SIGN_UP: "invited" } });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
    await database.close();
  });
  const linkOf = async (...args: string[]) => {
    const env = { ...database.env, BETTER_AUTH_URL: server.origin, LATCHKEY_SIGN_UP: "invited" };
    return (await runLatchkey(args, { env })).stdout.trim();
  };
  const open = async (url: string) => {
    const context = await browser.newContext({ javaScriptEnabled });
    const page = await context.newPage();
    const referers: string[] = [];
    page.on("request", (request) => void referers.push(request.headers()["referer"] ?? ""));
    await page.goto(url);
    return { context, page, referers };
  };

  test("sets a password, and tells its address to nobody", async () => {
    const member = await addMember(database);
    const url = await linkOf("users", "recovery-link", member.email);
    const { context, page, referers } = await open(url);
    expect(await field(page, "Email").inputValue()).toBe(member.email);
    await field(page, "New password").fill("password1");
    await press(page, "Set password");
    expect(await page.locator("#new-password-error").innerText()).toContain("Choose a less common password.");
    await field(page, "New password").fill(another);
    await press(page, "Set password");
    expect(await page.getByRole("status").innerText()).toBe("Your new password is set. Sign in with it.");
    expect(referers.length).toBeGreaterThan(4);
    expect(referers.join()).not.toContain("token");
    await field(page, "Email").fill(member.email);
    await field(page, "Password").fill(another);
    await Promise.all([
      page.waitForRequest((request) => request.method() === "POST"),
      page.getByRole("button", { name: "Sign in", exact: true }).click(),
    ]);
    await page.waitForURL((at) => at.pathname !== "/signin");
    await page.goto(url);
    expect(await page.getByRole("heading").innerText()).toBe("This link no longer works");
    await context.close();
  });

  test("makes an account for the address that was invited", async () => {
    const email = `guest-${javaScriptEnabled}@example.com`;
    const url = await linkOf("invite", "--email", email);
    const { context, page, referers } = await open(url);
    expect(await field(page, "Email").inputValue()).toBe(email);
    expect(await field(page, "Email").isEditable()).toBe(false);
    await field(page, "Name").fill("Guest");
    await field(page, "Password").fill(another);
    await Promise.all([
      page.waitForURL((at) => at.pathname !== "/signup"),
      page.getByRole("button", { name: "Create account", exact: true }).click(),
    ]);
    expect(referers.join()).not.toContain("invitation");
    await page.goto(`${server.origin}/account`);
    expect(await field(page, "Name").inputValue()).toBe("Guest");
    // Signed in, they open another one's.
    const next = `next-${javaScriptEnabled}@example.com`;
    const other = await linkOf("invite", "--email", next);
    await page.goto(other);
    expect(await page.locator(".person").innerText()).toContain(email);
    await Promise.all([
      page.waitForURL((at) => at.pathname === "/account"),
      page.getByRole("link", { name: "Continue to your account" }).click(),
    ]);
    await page.goto(other);
    await Promise.all([
      page.waitForRequest((request) => request.method() === "POST"),
      page.getByRole("button", { name: "Sign out", exact: true }).click(),
    ]);
    await page.getByRole("heading", { name: "Create your account" }).waitFor();
    expect(await field(page, "Email").inputValue()).toBe(next);
    expect(referers.join()).not.toContain("invitation");
    await context.close();
    const again = await open(url);
    expect(await again.page.getByRole("heading").innerText()).toBe("Sign-up is by invitation");
    await again.context.close();
  });
});
