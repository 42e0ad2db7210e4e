import type { Config } from "../config/config.ts";
import { type Shades, shadesOf } from "../pages/views/accent.ts";
import { type Check, passed } from "./check.ts";

/** Says what is made of the brand's colours: what the operator chose, and what had to change to be seen. */
export function brandChecks({ brandAccent, brandAccentDark }: Config): readonly Check[] {
  const light = describeShades("light scheme", brandAccent, shadesOf(brandAccent, "light"));
  const dark = describeShades("dark one", brandAccentDark, shadesOf(brandAccentDark, "dark"));
  return [passed("brand", `in the ${light}; in the ${dark}`)];
}

function describeShades(scheme: string, accent: string, { onFill, edge, text }: Shades): string {
  const changed = [
    edge === accent ? [] : [`their edge ${edge}`],
    text === accent ? [] : [`links ${text}`],
  ].flat();
  const words = onFill === "#000000" ? "black" : "white";
  const rest = changed.length === 0 ? "links the same" : changed.join(", ");
  return `${scheme} buttons ${accent} with ${words} words, ${rest}`;
}
