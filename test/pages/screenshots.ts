/** `bun test/pages/screenshots.ts [directory [language [state…]]]`: pictures of the pages' states; those of the README by default. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { launchBrowser } from "../support/browser.ts";
import { openState } from "./open-state.ts";
import { statesIn } from "./states.ts";

const views: Readonly<Record<string, BrowserContextOptions>> = {
  light: { viewport: { width: 1000, height: 700 }, colorScheme: "light" },
  dark: { viewport: { width: 1000, height: 700 }, colorScheme: "dark" },
  phone: {
    viewport: { width: 390, height: 700 },
    deviceScaleFactor: 2,
    colorScheme: "light",
    hasTouch: true,
  },
  narrow: { viewport: { width: 320, height: 640 }, deviceScaleFactor: 2, colorScheme: "dark" },
};

/** State → views that the README shows. */
const shown: Readonly<Record<string, readonly string[]>> = {
  "sign-in": ["light", "dark"],
  "sign-up-taken": ["phone"],
  account: ["light", "dark", "phone"],
};

async function take(
  browser: Browser,
  directory: string,
  wanted: Readonly<Record<string, readonly string[]>>,
) {
  for (const [view, options] of Object.entries(views)) {
    const context = await browser.newContext({ ...options, locale: language, reducedMotion: "reduce" });
    const page = await context.newPage();
    for (const state of states) {
      if (wanted[state.name]?.includes(view) !== true) continue;
      const close = await openState(context, page, state);
      await page.screenshot({ path: join(directory, `${state.name}-${view}.png`), fullPage: true });
      await close();
    }
    await context.close();
  }
}

const [directory = join(import.meta.dir, "../../docs/screenshots"), language = "en", ...names] =
  process.argv.slice(2);
const states = statesIn(language);
const all = Object.keys(views);
const wanted =
  process.argv.length > 2
    ? Object.fromEntries(
        (names.length > 0 ? names : states.map(({ name }) => name)).map((name) => [name, all]),
      )
    : shown;
mkdirSync(directory, { recursive: true });
const browser = await launchBrowser();
await take(browser, directory, wanted);
await browser.close();
