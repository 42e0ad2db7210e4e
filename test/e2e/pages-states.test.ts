import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import axe from "axe-core";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { openState } from "../pages/open-state.ts";
import { languages } from "../../src/pages/views/messages/languages.ts";
import { statesIn } from "../pages/states.ts";
import { launchBrowser } from "../support/browser.ts";

setDefaultTimeout(60_000);

const views: Readonly<Record<string, BrowserContextOptions>> = {
  "light desktop": { viewport: { width: 1280, height: 800 }, colorScheme: "light" },
  "dark phone": { viewport: { width: 320, height: 640 }, colorScheme: "dark", hasTouch: true },
};

/** What can be pressed; links in running text may be smaller (WCAG 2.5.8). */
const targets =
  "button, summary, a.button, input:not([type=hidden], [type=checkbox], [hidden]), .checkbox label";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
});

/** Every view in English; in the others the narrow one, where long words overflow first. */
const looks = Object.keys(languages).flatMap((language) =>
  Object.entries(views)
    .filter(([view]) => language === "en" || view === "dark phone")
    .map(([view, options]) => [view, language, options] as const),
);

describe.each(looks)("on a %s in %s", (_view, language, options) => {
  let context: BrowserContext;
  let page: Page;
  const complaints: string[] = [];
  beforeAll(async () => {
    context = await browser.newContext({ ...options, locale: language, reducedMotion: "reduce" });
    page = await context.newPage();
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("dialog", (dialog) => complaints.push(dialog.message()));
    page.on("console", (message) => {
      // A page that answers 4xx is logged as a resource that did not load.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
        complaints.push(message.text());
    });
  });
  afterAll(async () => {
    await context.close();
  });

  test.each(statesIn(language).map((state) => [state.name, state] as const))(
    "%s: axe-core finds nothing, all fits and can be pressed",
    async (_name, state) => {
      complaints.length = 0;
      const close = await openState(context, page, state);
      try {
        await page.getByText(state.shows).first().waitFor({ state: "visible", timeout: 5_000 });
        expect(await violations(page)).toEqual([]);
        const { overflow, small } = await page.evaluate(measure, targets);
        expect({ overflow, small }).toEqual({ overflow: 0, small: [] });
        expect(complaints).toEqual([]);
      } finally {
        await close();
      }
    },
  );
});

async function violations(page: Page): Promise<readonly string[]> {
  // Evaluated by the debugger: the pages' policy would refuse it as a script.
  await page.evaluate(axe.source);
  const results = await page.evaluate(() =>
    (globalThis as unknown as { axe: typeof axe }).axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }),
  );
  return results.violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(" | ")}`,
  );
}

function measure(selector: string): { overflow: number; small: string[] } {
  const root = document.documentElement;
  const small = [...document.querySelectorAll(selector)]
    .map((element) => ({ element, box: element.getBoundingClientRect() }))
    .filter(({ box }) => box.width > 0 && (box.height < 44 || box.width < 44))
    .map(({ element, box }) => `${element.outerHTML.slice(0, 80)} ${box.width}×${box.height}`);
  return { overflow: Math.max(0, root.scrollWidth - root.clientWidth), small };
}
