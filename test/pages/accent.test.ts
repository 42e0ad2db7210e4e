import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { contrastOf, shadesOf, surfaces } from "../../src/pages/views/accent.ts";

describe("contrastOf", () => {
  test.each([
    ["#000000", "#ffffff", 21],
    ["#777777", "#ffffff", 4.48],
    ["#ff0000", "#ffffff", 4.0],
    ["#3355cc", "#3355cc", 1],
  ])("%s and %s: %d", (one, other, contrast) => {
    expect(contrastOf(one, other)).toBeCloseTo(contrast, 2);
  });
});

describe("shadesOf", () => {
  const color = fc
    .integer({ min: 0, max: 0xffffff })
    .map((value) => `#${value.toString(16).padStart(6, "0")}`);

  test.each(["light", "dark"] as const)("any accent is readable in the %s scheme", (scheme) => {
    const { card, page } = surfaces[scheme];
    const holds = (accent: string) => {
      const { fill, fillHover, onFill, edge, text } = shadesOf(accent, scheme);
      expect(contrastOf(onFill, fill)).toBeGreaterThanOrEqual(4.5);
      expect(contrastOf(onFill, fillHover)).toBeGreaterThanOrEqual(contrastOf(onFill, fill));
      expect(fill).toBe(accent);
      expect(contrastOf(edge, card)).toBeGreaterThanOrEqual(3);
      for (const surface of [card, page]) expect(contrastOf(text, surface)).toBeGreaterThanOrEqual(4.5);
    };
    for (const accent of ["#000000", "#ffffff", "#ffff00", "#0000ff", "#808080", card, page]) holds(accent);
    fc.assert(fc.property(color, holds), { numRuns: 3_000 });
  });

  test("an accent that is readable stays itself", () => {
    expect(shadesOf("#3355cc", "light")).toMatchObject({
      fill: "#3355cc",
      edge: "#3355cc",
      text: "#3355cc",
      onFill: "#ffffff",
    });
  });

  test("C9: an accent that is too light or too dark keeps its hue", () => {
    const yellow = shadesOf("#ffe600", "light");
    expect(yellow).toMatchObject({ fill: "#ffe600", onFill: "#000000" });
    const hue = (hex: string) => {
      const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as [
        number,
        number,
        number,
      ];
      const [most, least] = [Math.max(red, green, blue), Math.min(red, green, blue)];
      // Of a yellow or orange, whose red is most and blue least; in sixths of the circle.
      return most === red && least === blue ? (green - blue) / (most - least) : Number.NaN;
    };
    for (const made of [yellow.edge, yellow.text]) expect(hue(made)).toBeCloseTo(hue("#ffe600"), 1);
    expect(shadesOf("#101040", "dark")).toMatchObject({ fill: "#101040", onFill: "#ffffff" });
  });
});

test("the stylesheet has the surfaces that the accent is measured against", () => {
  const css = readFileSync(join(import.meta.dir, "../../src/pages/views/style.css"), "utf8");
  const [light = "", dark = ""] = [...css.matchAll(/:root \{([^}]*)\}/g)].map((match) => match[1] ?? "");
  for (const [block, { card, page }] of [
    [light, surfaces.light],
    [dark, surfaces.dark],
  ] as const) {
    expect(block).toContain(`--card: ${card};`);
    expect(block).toContain(`--page: ${page};`);
  }
});
