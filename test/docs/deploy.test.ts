import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { withTables } from "../../docs/write-tables.ts";
import { metricList } from "../../src/metrics/metrics.ts";
import { projectDirectory, readDocument } from "../support/readme.ts";

const read = (path: string) => readFileSync(join(projectDirectory, path), "utf8");

/** What the answer has: of a histogram, three names. */
const series = new Set(
  metricList.flatMap(({ name, type }) =>
    type === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name as string],
  ),
);
const labelsOf = (name: string) =>
  metricList.find((metric) => metric.name === name.replace(/_(?:bucket|sum|count)$/, ""))?.labels ?? [];
const namedIn = (text: string) => [...new Set(text.match(/\b(?:latchkey|process)_[a-z_]+\b/g) ?? [])];

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

describe("deploy/grafana.json", () => {
  const dashboard = JSON.parse(read("deploy/grafana.json")) as { readonly panels: readonly Panel[] };
  const expressions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

  test("shows every metric, and none that is not there", () => {
    const named = namedIn(expressions.join("\n"));
    expect(named.filter((name) => !series.has(name))).toEqual([]);
    const shown = new Set(named.map((name) => name.replace(/_(?:bucket|sum|count)$/, "")));
    expect(metricList.map(({ name }) => name).filter((name) => !shown.has(name))).toEqual([]);
  });

  test("names labels that its metrics have", () => {
    for (const { title, targets } of dashboard.panels)
      for (const { expr, legendFormat } of targets) {
        const [name = ""] = namedIn(expr);
        const known = ["instance", "job", ...labelsOf(name)];
        const used = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
        expect({ title, unknown: used.filter((label) => !known.includes(label)) }).toEqual({
          title,
          unknown: [],
        });
      }
  });

  test("has panels beside each other, each once", () => {
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)} ${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });
});

test("deploy/alerts.yml names metrics that are there", () => {
  const parsed = Bun.YAML.parse(read("deploy/alerts.yml")) as {
    readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[];
  };
  const expressions = parsed.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)).join("\n");
  expect(namedIn(expressions).length).toBeGreaterThan(3);
  expect(namedIn(expressions).filter((name) => !series.has(name))).toEqual([]);
});

test("docs/monitoring.md shows the metrics that the code declares: bun run docs", () => {
  const { text } = readDocument("docs/monitoring.md");
  expect(text).toBe(withTables(text));
  for (const { name } of metricList) expect(text).toContain(`| \`${name}\` |`);
});

test("docs/proxies.md shows the files of deploy/ as they are, and each of a proxy: bun run docs", () => {
  const { text, blocks } = readDocument("docs/proxies.md");
  expect(text).toBe(withTables(text));
  const shown = blocks.flatMap(({ marker }) => (marker.startsWith("file: ") ? marker.slice(6) : []));
  const there = [...new Bun.Glob("deploy/{nginx,caddy,haproxy,traefik}/*").scanSync(projectDirectory)];
  expect(shown.toSorted()).toEqual(there.toSorted());
  for (const path of shown) expect(read(path)).toContain(`${path.endsWith(".lua") ? "--" : "#"} /etc/`);
});

test("what docs/proxies.md shows of several workers is in the files of deploy/", () => {
  const { blocks } = readDocument("docs/proxies.md");
  for (const [marker, path] of [
    ["caddy: workers", "deploy/caddy/Caddyfile"],
    ["nginx: workers", "deploy/nginx/latchkey.conf"],
  ] as const) {
    const lines =
      blocks.find((block) => block.marker === marker)?.code.match(/^.*(?:lb_try|server 127).*$/gm) ?? [];
    expect(lines.length).toBe(2);
    for (const line of lines) expect(read(path)).toContain(line.trim());
  }
});
