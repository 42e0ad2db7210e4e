import { type Shades, shadesOf } from "./accent.ts";
import script from "./enhance.js" with { type: "text" };
import stylesheet from "./style.css" with { type: "text" };

export interface Asset {
  /** With a hash of its content, so that it may be kept for ever. */
  readonly path: string;
  readonly type: string;
  readonly body: string;
}

export interface Assets {
  readonly stylesheet: Asset;
  readonly script: Asset;
  readonly icon: Asset;
}

/** The pages' stylesheet, script and icon, in the brand's accent (`#rrggbb`). */
export function createAssets(accent: string): Assets {
  const light = shadesOf(accent, "light");
  const dark = shadesOf(accent, "dark");
  const theme = `:root{${variables(light)}}@media (prefers-color-scheme:dark){:root{${variables(dark)}}}\n`;
  return {
    stylesheet: asset("css", "text/css; charset=utf-8", theme + stylesheet),
    script: asset("js", "text/javascript; charset=utf-8", script),
    icon: asset("svg", "image/svg+xml", iconSvg(light)),
  };
}

/** The keyhole of `Mark`, as a file of its own. */
export const markPath =
  "M16 7.5a5 5 0 0 1 2.6 9.27l1.5 6.8a.8.8 0 0 1-.78.98h-6.64a.8.8 0 0 1-.78-.98l1.5-6.8A5 5 0 0 1 16 7.5z";

function iconSvg({ fill, onFill }: Shades): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="${fill}"/>` +
    `<path fill="${onFill}" d="${markPath}"/></svg>`
  );
}

function variables({ fill, fillHover, onFill, text }: Shades): string {
  return `--accent:${fill};--accent-hover:${fillHover};--on-accent:${onFill};--link:${text}`;
}

function asset(extension: string, type: string, body: string): Asset {
  const hash = new Bun.CryptoHasher("sha256").update(body).digest("hex").slice(0, 16);
  return { path: `/assets/latchkey-${hash}.${extension}`, type, body };
}
