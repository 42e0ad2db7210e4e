import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { isTaken } from "../../demo/ports.ts";
import { launchBrowser } from "../support/browser.ts";
import { buildDocs } from "../support/docusaurus.ts";
import { buildExecutable } from "../support/executable.ts";
import { prepareFastApi } from "../support/fastapi.ts";
import { freePort } from "../support/free-port.ts";
import { forgetProcess, temporaryDirectory, watchProcess } from "../support/reaper.ts";

setDefaultTimeout(180_000);

const main = join(import.meta.dir, "..", "..", "demo", "main.ts");
const person = { name: "Ada", email: "ada@example.com", password: "correct horse battery" };

let browser: Browser;
beforeAll(async () => {
  await Promise.all([buildExecutable(), buildDocs(), prepareFastApi()]);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
});

/** The demo in a terminal of its own, once it has said what to click. */
async function startDemo() {
  const ports = { docs: freePort(), latchkey: freePort(), api: freePort() };
  const dataDir = temporaryDirectory("demo");
  const shown = Promise.withResolvers<void>();
  let output = "";
  const options = Object.entries(ports).flatMap(([whose, port]) => [`--${whose}-port`, String(port)]);
  const child = Bun.spawn([process.execPath, main, "--data-dir", dataDir, ...options], {
    terminal: {
      cols: 200,
      data(_terminal, bytes) {
        output += Bun.stripANSI(new TextDecoder().decode(bytes)).replaceAll("\r\n", "\n");
        if (output.includes("Ctrl-C ends all three.")) shown.resolve();
      },
    },
  });
  watchProcess(child.pid, "TERM");
  await Promise.race([
    shown.promise,
    child.exited.then(() => {
      throw new Error(`the demo ended:\n${output}`);
    }),
  ]);
  return {
    ports,
    child,
    output: () => output,
    exited: child.exited.finally(() => forgetProcess(child.pid)),
    press: (key: string) => child.terminal?.write(key),
    /** What listens on the demo's ports, by whose they are. */
    async listening() {
      const taken = await Promise.all(
        Object.entries(ports).map(async ([whose, port]) => ((await isTaken(port)) ? [whose] : [])),
      );
      return taken.flat();
    },
  };
}

/** Those that have `ancestor` as their parent. */
function childrenOf(ancestor: number): { pid: number; command: string }[] {
  const { stdout } = Bun.spawnSync(["ps", "-eo", "pid=,ppid=,args="]);
  return stdout
    .toString()
    .split("\n")
    .flatMap((line) => {
      const [, pid, ppid, command = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
      return Number(ppid) === ancestor ? [{ pid: Number(pid), command }] : [];
    });
}

const eventually = async (holds: () => Promise<boolean>) => {
  while (!(await holds())) await Bun.sleep(50);
};

describe("bun run demo", () => {
  test("has what it says to click, and Ctrl-C ends all three", async () => {
    const demo = await startDemo();
    expect(await demo.listening()).toEqual(["docs", "latchkey", "api"]);
    const [docs = "", latchkey = "", api = ""] = [
      ...demo.output().matchAll(/^ {2}(?:the docs site|latchkey|the API) +(\S+)$/gm),
    ].map(([, url = ""]) => url);

    const page = await browser.newPage();
    await page.goto(`${docs}/docs/intro`);
    await page.getByText("Login to Personalize").click();
    await page.waitForURL(`${latchkey}/signin?**`);
    await page.getByRole("link", { name: "Create an account" }).click();
    for (const [name, value] of Object.entries(person))
      await page.locator(`main input[name="${name}"]`).first().fill(value);
    await page.locator('main form:has(input[name="password"]) button[type="submit"]').click();
    await page.waitForURL(`${docs}/docs/intro`);
    await page.getByText("The API says you are Ada <ada@example.com>.").waitFor();
    expect((await page.goto(`${api}/me`))?.status()).toBe(200);
    expect(await page.locator("body").innerText()).toContain(person.email);
    await page.goto(`${docs}/docs/intro`);
    await page.getByRole("link", { name: person.name }).click();
    await page.waitForURL(`${latchkey}/account**`);
    await page.goto(docs);
    await page.getByRole("button", { name: "Logout" }).click();
    await page.getByRole("link", { name: "Login" }).waitFor();
    expect((await page.goto(`${api}/me`))?.status()).toBe(401);
    await page.close();

    demo.press("\x03");
    expect(await demo.exited).toBe(0);
    expect(demo.output()).toEndWith("All three have ended.\n");
    expect(await demo.listening()).toEqual([]);
  });

  test.each([
    ["latchkey", /\/latchkey$/],
    ["The docs site", /docs-site\.ts/],
    ["The API", /latchkey_fastapi/],
  ])("ends the others when one is killed, and says that it was %s", async (name, command) => {
    const demo = await startDemo();
    const victim = childrenOf(demo.child.pid).find((child) => command.test(child.command));
    process.kill(victim?.pid ?? Number.NaN, "SIGKILL");
    expect(await demo.exited).toBe(1);
    expect(demo.output()).toContain(
      `\nError: ${name} ended with status 137, and so the others were ended. It wrote `,
    );
    expect(demo.output()).toMatch(/\nTry: reading \S+\.log\n$/);
    expect(await demo.listening()).toEqual([]);
  });

  test("leaves nobody behind when it is killed itself", async () => {
    const demo = await startDemo();
    demo.child.kill("SIGKILL");
    await demo.exited;
    await eventually(async () => (await demo.listening()).length === 0);
  });
});
