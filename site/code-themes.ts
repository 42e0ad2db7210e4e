import type { PrismTheme } from "prism-react-renderer";

/** Few colours, of which each has a contrast of 4.5 to the ground at least (WCAG 2.1, 1.4.3): those at hand have not. */
function theme(
  ground: string,
  text: string,
  colours: Readonly<Record<"aside" | "value" | "word", string>>,
): PrismTheme {
  return {
    plain: { color: text, backgroundColor: ground },
    styles: [
      { types: ["comment", "prolog"], style: { color: colours.aside } },
      { types: ["string", "attr-value", "number"], style: { color: colours.value } },
      {
        types: ["keyword", "function", "tag", "attr-name", "builtin", "directive"],
        style: { color: colours.word },
      },
    ],
  };
}

export const light = theme("#f6f8fa", "#24292f", { aside: "#57606a", value: "#8f1d1d", word: "#2a49c3" });
export const dark = theme("#1f2330", "#e6e9f0", { aside: "#a8b1c2", value: "#f3b8a5", word: "#a9bafa" });
