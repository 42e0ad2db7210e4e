/** Transparent, for light and dark pages. */
const style = `
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .muted { font-size: 11px; fill: #59636e }
  .value { font-weight: 600 }
  .grid { stroke: #d1d9e0 }
  .range { stroke: #1f2328; stroke-width: 1.5 }
  .latchkey { fill: #0969da }
  .stock { fill: #818b98 }
  .latchkey.database { fill: #54aeff }
  .stock.database { fill: #c8d1da }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .muted { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .range { stroke: #f0f6fc }
    .latchkey { fill: #4493f8 }
    .stock { fill: #656c76 }
    .latchkey.database { fill: #1f6feb80 }
    .stock.database { fill: #3d444d }
  }`;

interface Size {
  readonly width: number;
  readonly height: number;
}

/** A chart's beginning, its title written on the first line; `</svg>` ends it. */
export function openSvg({ width, height }: Size, title: string): string[] {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title">`,
    `<style>${style}\n</style>`,
    `<title id="title">${Bun.escapeHTML(title)}</title>`,
    text(0, 18, "title", title),
  ];
}

/** Set from `x` on, on the line `y`. */
export function text(x: number, y: number, className: string, content: string): string {
  return `<text class="${className}" x="${x}" y="${y}">${Bun.escapeHTML(content)}</text>`;
}

/** A tenth of a pixel is more than anybody sees. */
export function round(value: number): number {
  return Math.round(value * 10) / 10;
}
