import interPath from "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2" with { type: "file" };
import { readFileSync } from "node:fs";
import { type Shades, shadesOf } from "./accent.ts";
import script from "./enhance.js" with { type: "text" };
import stylesheet from "./style.css" with { type: "text" };

export interface Asset {
  /** With a hash of its content, so that it may be kept for ever. */
  readonly path: string;
  readonly type: string;
  readonly body: string | Uint8Array<ArrayBuffer>;
}

export interface Assets {
  readonly stylesheet: Asset;
  readonly script: Asset;
  readonly icon: Asset;
  /** Inter, by the Inter Project Authors, under the SIL Open Font License 1.1: Latin, all weights. */
  readonly font: Asset;
}

/** The brand's colour in each scheme, `#rrggbb`. */
export interface Accents {
  readonly light: string;
  readonly dark: string;
}

/** The pages' stylesheet, script, icon and font, in the brand's accents. */
export function createAssets(accents: Accents): Assets {
  const font = asset("woff2", "font/woff2", new Uint8Array(readFileSync(interPath)));
  const face =
    `@font-face{font-family:Inter;src:url(${font.path}) format("woff2");` +
    "font-weight:100 900;font-style:normal;font-display:swap}\n";
  return {
    stylesheet: asset("css", "text/css; charset=utf-8", face + styleOf(accents)),
    script: asset("js", "text/javascript; charset=utf-8", script),
    icon: asset("svg", "image/svg+xml", iconSvg(shadesOf(accents.light, "light"))),
    font,
  };
}

/** The stylesheet without the font. */
export function styleOf({ light, dark }: Accents): string {
  const theme =
    `:root{${variables(shadesOf(light, "light"))}}` +
    `@media (prefers-color-scheme:dark){:root{${variables(shadesOf(dark, "dark"))}}}\n`;
  return theme + stylesheet;
}

/** The keyhole of `Brand`, as a file of its own. */
export const markPath =
  "M16 7.5a5 5 0 0 1 2.6 9.27l1.5 6.8a.8.8 0 0 1-.78.98h-6.64a.8.8 0 0 1-.78-.98l1.5-6.8A5 5 0 0 1 16 7.5z";

function iconSvg({ fill, onFill }: Shades): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="${fill}"/>` +
    `<path fill="${onFill}" d="${markPath}"/></svg>`
  );
}

function variables({ fill, fillHover, onFill, edge, text }: Shades): string {
  return `--accent:${fill};--accent-hover:${fillHover};--on-accent:${onFill};--accent-edge:${edge};--link:${text}`;
}

function asset(extension: string, type: string, body: Asset["body"]): Asset {
  const hash = new Bun.CryptoHasher("sha256").update(body).digest("hex").slice(0, 16);
  return { path: `/assets/latchkey-${hash}.${extension}`, type, body };
}
