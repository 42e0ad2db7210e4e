import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { launchBrowser } from "../support/browser.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";

setDefaultTimeout(60_000);

const password = "correct horse battery";
const hosts = ["localhost", "127.0.0.1"] as const;

let browser: Browser;
let database: TestDatabase;
let server: RunningLatchkey;
let docs: Bun.Server<undefined>;
let visits = 0;

/** A site that sends whoever it does not know to the sign-in, as sites do. */
async function answerAsDocs(request: Request): Promise<Response> {
  visits += 1;
  const { host } = new URL(request.url);
  const known = await fetch(`${server.origin}/api/auth/verify`, {
    headers: { cookie: request.headers.get("cookie") ?? "" },
  });
  if (known.status === 200)
    return new Response("<h1>The docs</h1>", { headers: { "content-type": "text/html" } });
  const callbackUrl = encodeURIComponent(`http://${host}/guide`);
  return Response.redirect(`${server.origin}/signin?callbackUrl=${callbackUrl}`, 302);
}

beforeAll(async () => {
  docs = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answerAsDocs });
  const origins = hosts.map((host) => `http://${host}:${docs.port}`);
  database = await openTestDatabase("sqlite");
  server = await spawnLatchkey({ env: { ...database.env, BETTER_AUTH_TRUSTED_ORIGINS: origins.join(",") } });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await server.stop();
  await database.close();
  await docs.stop(true);
});

async function fill(page: Page, fields: Readonly<Record<string, string>>, button: string): Promise<void> {
  for (const [label, value] of Object.entries(fields))
    await page.getByLabel(label, { exact: true }).fill(value);
  await Promise.all([page.waitForEvent("load"), page.getByRole("button", { name: button }).click()]);
}

describe.each([true, false])("a site that asks for a session, JavaScript %p", (javaScriptEnabled) => {
  const email = `loop-${javaScriptEnabled}@example.com`;

  test("gets its visitor back signed in where the cookie reaches it", async () => {
    const context = await browser.newContext({ javaScriptEnabled });
    const page = await context.newPage();
    visits = 0;
    await page.goto(`http://localhost:${docs.port}/guide`);
    await page.getByRole("link", { name: "Create an account" }).click();
    await fill(page, { Name: "Ann Example", Email: email, Password: password }, "Create account");
    expect([page.url(), await page.innerText("h1"), visits]).toEqual([
      `http://localhost:${docs.port}/guide`,
      "The docs",
      2,
    ]);
    await page.goto(`${server.origin}/signin?callbackUrl=/guide`);
    expect(page.url()).toBe(`http://localhost:${docs.port}/guide`);
    await context.close();
  });

  test("does not bounce its visitor for ever where the cookie does not", async () => {
    const context = await browser.newContext({ javaScriptEnabled });
    const page = await context.newPage();
    visits = 0;
    await page.goto(`http://127.0.0.1:${docs.port}/guide`);
    await fill(page, { Email: email, Password: password }, "Sign in");
    expect([await page.innerText("h1"), visits]).toEqual(["You are signed in", 2]);
    await Promise.all([
      page.waitForEvent("load"),
      page.getByRole("link", { name: /^Continue to 127/ }).click(),
    ]);
    expect([await page.innerText("h1"), visits]).toEqual(["You are signed in", 3]);
    await fill(page, {}, "Use another account");
    expect(new URL(page.url()).pathname).toBe("/signin");
    expect(await page.getByText("You are signed out.").count()).toBe(1);
    expect(await page.getByText(`127.0.0.1:${docs.port}`).count()).toBe(1);
    await context.close();
  });
});
