/** The surfaces that text stands on; `style.css` has the same colours. */
export const surfaces = {
  light: { card: "#ffffff", page: "#f3f5f8" },
  dark: { card: "#181b22", page: "#0f1116" },
} as const;

/** Colours made from the accent for one scheme. */
export interface Shades {
  /** A button's ground: the accent itself. */
  readonly fill: string;
  readonly fillHover: string;
  /** Black or white, at least 4.5:1 against both fills (WCAG 2.2, 1.4.3). */
  readonly onFill: string;
  /** Around a fill, at least 3:1 against the card (1.4.11): the accent, where it is seen by itself. */
  readonly edge: string;
  /** Links and the focus ring, at least 4.5:1 against both surfaces. */
  readonly text: string;
}

type Rgb = readonly [number, number, number];

const black: Rgb = [0, 0, 0];
const white: Rgb = [255, 255, 255];

/** @param accent `#rrggbb`; where it would be hard to see, edges and links are darker (light scheme) or lighter (dark). */
export function shadesOf(accent: string, scheme: keyof typeof surfaces): Shades {
  const { card, page } = surfaces[scheme];
  const toward = scheme === "light" ? black : white;
  const fill = parse(accent);
  // One of the two has 4.5:1 against any colour.
  const onFill = contrast(fill, white) >= 4.5 ? white : black;
  // Away from the text on it, so that hovering only adds contrast.
  const fillHover = mix(fill, onFill === white ? black : white, 0.14);
  const readable = (mixed: Rgb) => [card, page].every((surface) => contrast(mixed, parse(surface)) >= 4.5);
  return {
    fill: format(fill),
    fillHover: format(fillHover),
    onFill: format(onFill),
    edge: format(mixUntil(fill, toward, (mixed) => contrast(mixed, parse(card)) >= 3)),
    text: format(mixUntil(fill, toward, readable)),
  };
}

/** WCAG's contrast of two `#rrggbb` colours, 1 to 21. */
export function contrastOf(one: string, other: string): number {
  return contrast(parse(one), parse(other));
}

function mixUntil(color: Rgb, toward: Rgb, suffices: (mixed: Rgb) => boolean): Rgb {
  for (let share = 0; share < 1; share += 0.04) {
    const mixed = mix(color, toward, share);
    if (suffices(mixed)) return mixed;
  }
  return toward;
}

function mix(from: Rgb, to: Rgb, share: number): Rgb {
  const channel = (index: 0 | 1 | 2) => Math.round(from[index] + (to[index] - from[index]) * share);
  return [channel(0), channel(1), channel(2)];
}

function contrast(one: Rgb, other: Rgb): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

function luminance(color: Rgb): number {
  const [red, green, blue] = color.map((channel) => {
    const value = channel / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
}

function parse(hex: string): Rgb {
  const value = Number.parseInt(hex.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

function format(color: Rgb): string {
  return `#${color.map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;
}
