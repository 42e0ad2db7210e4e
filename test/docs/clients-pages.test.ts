import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser } from "playwright-core";
import { launchBrowser } from "../support/browser.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { commandsOf, linkPackages, pasteFiles, type StartedProgram, startProgram } from "../support/paste.ts";
import { readDocument } from "../support/readme.ts";

setDefaultTimeout(60_000);

const clients = readDocument("docs/clients.md");
const sites = ["html", "vite"] as const;
const ports = { html: freePort(), vite: freePort() };
const place = (site: (typeof sites)[number]) => `http://localhost:${ports[site]}/?page=2&x=%20y#a-place`;

let latchkey: RunningLatchkey;
let browser: Browser;
const programs: StartedProgram[] = [];

/** npx would make its own folder in HOME; what it runs is this. */
const [npxVite, nodeVite] = ["npx vite", "node node_modules/vite/bin/vite.js"];

/** Pastes, installs and starts as the document says, but for the ports. */
async function startSite(site: (typeof sites)[number]): Promise<void> {
  const { installing, starting } = commandsOf(clients, site);
  const directory = pasteFiles(clients, site, (code) =>
    code.replaceAll("http://localhost:3001", latchkey.origin),
  );
  await linkPackages(installing, directory);
  const command =
    site === "html"
      ? starting.replace(/ 8080$/, ` ${ports.html}`)
      : `${starting.replace(npxVite, nodeVite)} --port ${ports.vite} --strictPort`;
  expect(command).toContain(String(ports[site]));
  programs.push(await startProgram(command, { cwd: directory, url: `http://localhost:${ports[site]}` }));
}

beforeAll(async () => {
  const origins = sites.map((site) => `http://localhost:${ports[site]}`).join();
  latchkey = await spawnLatchkey({ env: { BETTER_AUTH_TRUSTED_ORIGINS: origins } });
  const [started] = await Promise.all([launchBrowser(), ...sites.map(startSite)]);
  browser = started;
});
afterAll(async () => {
  await browser?.close();
  await Promise.all(programs.map((program) => program.stop()));
  await latchkey.stop();
});

describe.each(sites)("10-B6: the documented page, %s, as pasted,", (site) => {
  test("leads to an account and back to its very place, shows the name, and signs out", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(String(error)));
    const visitor = page.locator("#visitor");
    await page.goto(place(site));
    await visitor.getByRole("link", { name: "Sign in" }).click();
    await page.waitForURL(`${latchkey.origin}/signin?**`);
    await page.getByRole("link", { name: "Create an account" }).click();
    await page.getByLabel("Name", { exact: true }).fill("Ann <Example>");
    await page.getByLabel("Email", { exact: true }).fill(`${site}@example.com`);
    await page.getByLabel("Password", { exact: true }).fill("correct horse battery");
    await page.getByRole("button", { name: "Create account" }).click();
    await page.waitForURL(place(site));
    await visitor.getByText("You are Ann <Example>.").waitFor();

    await visitor.getByRole("button", { name: "Sign out" }).click();
    await visitor.getByRole("link", { name: "Sign in" }).waitFor();
    expect(await context.cookies(latchkey.origin)).toEqual([]);
    expect(page.url()).toBe(place(site));
    expect(faults).toEqual([]);
    await context.close();
  });
});

test.each(sites)("10-B6: %s says so when latchkey is stopped", async (site) => {
  await latchkey.stop();
  const page = await browser.newPage();
  await page.goto(place(site));
  await page.getByText("Signing in is not possible right now.").waitFor();
  expect(await page.getByRole("link").count()).toBe(0);
  await page.close();
});

test("10-B6: the built Vite pages know latchkey's public address", async () => {
  const directory = pasteFiles(clients, "vite");
  await linkPackages(commandsOf(clients, "vite").installing, directory);
  const build = commandsOf(clients, "vite build").starting.replace(npxVite, nodeVite);
  const child = Bun.spawnSync(["/bin/sh", "-eu", "-c", build], {
    cwd: directory,
    env: { PATH: process.env["PATH"] ?? "" },
  });
  expect([child.exitCode, child.stderr.toString()]).toEqual([0, ""]);
  const scripts = [...new Bun.Glob("dist/assets/*.js").scanSync(directory)];
  const code = await Bun.file(`${directory}/${scripts[0]}`).text();
  expect([code.includes("https://auth.example.com"), code.includes("localhost:3001")]).toEqual([true, false]);
});
