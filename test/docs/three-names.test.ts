import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { launchBrowser } from "../support/browser.ts";
import { readDeployed } from "../support/deployed-proxy.ts";
import { debianProgram } from "../support/debian.ts";
import { type RunningLatchkey, spawnLatchkey } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { commandsOf, linkPackages, pasteFiles, type StartedProgram, startProgram } from "../support/paste.ts";
import { readDocument } from "../support/readme.ts";
import { temporaryDirectory } from "../support/reaper.ts";

setDefaultTimeout(60_000);

const clients = readDocument("docs/clients.md");
const blockOf = (path: string, marker: string) => {
  const code = readDocument(path).blocks.find((block) => block.marker === marker)?.code;
  if (code === undefined) throw new Error(`${path} has no <!-- ${marker} -->`);
  return code;
};
/** The lines for three names. */
const settings = Object.fromEntries(
  readDocument("docs/domains.md")
    .blocks.filter(({ marker, code }) => marker === "settings" && code.includes("LATCHKEY_COOKIE_DOMAIN"))
    .flatMap(({ code }) => code.trim().split("\n"))
    .map((line) => line.split("=", 2)),
);

const caddy = await debianProgram({ suite: "bookworm", name: "caddy", program: "usr/bin/caddy" }).catch(
  String,
);
const isHere = typeof caddy !== "string";
const command = isHere ? caddy.command.join(" ") : "";

describe.skipIf(!isHere)(
  `10-B6: docs, auth and API behind the documented Caddyfile${isHere ? "" : ` (${caddy})`}`,
  () => {
    const ports = { latchkey: freePort(), api: freePort(), https: freePort(), http: freePort() };
    const home = temporaryDirectory("latchkey-home");
    const guide = "https://docs.example.com/guide?page=2#a-place";
    const programs: StartedProgram[] = [];
    let latchkey: RunningLatchkey;
    let browser: Browser;
    let context: BrowserContext;
    let page: Page;

    const startLatchkey = async () => {
      const env = { ...settings, PORT: String(ports.latchkey), LATCHKEY_DATA_DIR: home };
      latchkey = await spawnLatchkey({ env });
    };

    beforeAll(async () => {
      await startLatchkey();
      const pages = pasteFiles(clients, "html", (code) =>
        code.replace("http://localhost:3001", "https://auth.example.com"),
      );
      writeFileSync(join(pages, "guide.html"), await Bun.file(join(pages, "index.html")).text());
      // As a static site generator writes them.
      mkdirSync(join(pages, "intro"));
      writeFileSync(join(pages, "intro", "index.html"), "<h1>Intro</h1>");
      writeFileSync(join(pages, "404.html"), "<h1>No such page</h1>");

      const { installing, starting } = commandsOf(clients, "hono");
      const api = pasteFiles(clients, "node");
      await linkPackages(installing, api);
      const env = {
        PORT: String(ports.api),
        LATCHKEY_URL: `http://localhost:${ports.latchkey}`,
        SITE_URL: "https://docs.example.com",
      };
      programs.push(await startProgram(starting, { cwd: api, url: `http://127.0.0.1:${ports.api}`, env }));

      const directory = temporaryDirectory("caddy");
      const own = `{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\thttp_port ${ports.http}\n\thttps_port ${ports.https}\n}\n`;
      const documented = readDeployed("caddy/three-names.Caddyfile")
        .replaceAll("/srv/docs", pages)
        .replaceAll("127.0.0.1:3001", `127.0.0.1:${ports.latchkey}`)
        .replaceAll("127.0.0.1:8000", `127.0.0.1:${ports.api}`);
      writeFileSync(join(directory, "Caddyfile"), own + documented);
      programs.push(
        await startProgram(`${command} run --config Caddyfile --adapter caddyfile`, {
          cwd: directory,
          url: `http://127.0.0.1:${ports.http}`,
        }),
      );
      browser = await launchBrowser({
        args: [`--host-resolver-rules=MAP *.example.com:443 127.0.0.1:${ports.https}`],
      });
      context = await browser.newContext({ ignoreHTTPSErrors: true });
      page = await context.newPage();
    });
    afterAll(async () => {
      await browser?.close();
      for (const program of programs) await program.stop();
      await latchkey.stop();
    });

    const visitor = () => page.locator("#visitor");
    /** What the documented lines say in the page. */
    const askApi = async () => {
      const code = blockOf("docs/clients.md", "page: me").replace(
        "http://localhost:8000",
        "https://api.example.com",
      );
      const said = page.waitForEvent("console", (message) => message.type() === "log");
      await page.evaluate(`(async () => { ${code} })()`);
      return (await said).text();
    };

    test("the page knows a stranger, and so does the API", async () => {
      await page.goto(guide);
      await visitor().getByRole("link", { name: "Sign in" }).waitFor();
      expect(await askApi()).toBe("Sign in first.");
    });

    test("somebody signs up, comes back to the very place, and both know the name", async () => {
      await visitor().getByRole("link", { name: "Sign in" }).click();
      await page.waitForURL("https://auth.example.com/signin?**");
      await page.getByRole("link", { name: "Create an account" }).click();
      await page.getByLabel("Name", { exact: true }).fill("Ann Example");
      await page.getByLabel("Email", { exact: true }).fill("ann@example.com");
      await page.getByLabel("Password", { exact: true }).fill("correct horse battery");
      await page.getByRole("button", { name: "Create account" }).click();
      await page.waitForURL(guide);
      await visitor().getByText("You are Ann Example.").waitFor();
      expect(await askApi()).toBe("Ann Example");
      const [cookie] = await context.cookies("https://auth.example.com");
      expect(cookie).toMatchObject({
        name: "__Secure-better-auth.session_token",
        domain: ".example.com",
        httpOnly: true,
        secure: true,
        sameSite: "Lax",
      });
    });

    test("a folder's page keeps its query, and a page that is not there is the site's own 404", async () => {
      const intro = "https://docs.example.com/intro?page=2";
      expect((await page.goto(intro))?.status()).toBe(200);
      expect([page.url(), await page.locator("h1").innerText()]).toEqual([intro, "Intro"]);
      expect((await page.goto("https://docs.example.com/nowhere"))?.status()).toBe(404);
      expect(await page.locator("h1").innerText()).toBe("No such page");
    });

    test("while latchkey is down everything else answers, and nobody is signed out", async () => {
      await latchkey.stop();
      expect((await page.goto("https://auth.example.com/signin"))?.status()).toBe(502);
      expect((await page.goto(guide))?.status()).toBe(200);
      await visitor().getByText("Signing in is not possible right now.").waitFor();
      expect(await askApi()).toBe("Not possible right now.");

      await startLatchkey();
      await page.reload();
      await visitor().getByText("You are Ann Example.").waitFor();
      expect(await askApi()).toBe("Ann Example");
    });

    test("signing out on the page ends it for the API", async () => {
      await visitor().getByRole("button", { name: "Sign out" }).click();
      await visitor().getByRole("link", { name: "Sign in" }).waitFor();
      expect(await askApi()).toBe("Sign in first.");
      // The browser stays one that once signed in.
      const names = (await context.cookies("https://auth.example.com")).map(({ name }) => name);
      expect(names).toEqual(["__Host-latchkey.device"]);
    });
  },
);
