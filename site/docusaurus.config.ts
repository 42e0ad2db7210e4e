import { join, relative, resolve } from "node:path";
import type * as Preset from "@docusaurus/preset-classic";
import type { Config } from "@docusaurus/types";
import { dark, light } from "./code-themes";
import { pages, slugOf } from "./pages";
import { sourceLinks } from "./source-links";
import { stageDocuments } from "./stage";

/** Copies of the documents, which stay where they are read on their own, too. */
const documents = join(__dirname, ".documents");
stageDocuments(resolve(__dirname, ".."), documents, pages);

/** @throws with the variable's name, so that a typing error ends the build and not somebody's login. */
function urlFromEnv(name: string, fallback: string): string {
  const value = process.env[name] || fallback;
  if (!URL.canParse(value) || !/^https?:\/\//i.test(value))
    throw new Error(`${name} must be an address such as ${fallback}, not ${JSON.stringify(value)}`);
  return new URL(value).href.replace(/\/+$/, "");
}

const config: Config = {
  title: "latchkey",
  tagline: "One executable that signs people up, in and out, and tells your programs who is asking",
  favicon: "img/logo.svg",
  url: urlFromEnv("SITE_URL", "http://localhost:3000"),
  baseUrl: "/",
  trailingSlash: false,
  onBrokenLinks: "throw",
  onBrokenAnchors: "throw",
  onDuplicateRoutes: "throw",
  markdown: {
    // Written for readers without a build: no JSX in .md.
    format: "detect",
    hooks: { onBrokenMarkdownLinks: "throw", onBrokenMarkdownImages: "throw" },
    async parseFrontMatter(parameters) {
      const parsed = await parameters.defaultParseFrontMatter(parameters);
      const page = relative(documents, parameters.filePath);
      if (pages.includes(page)) parsed.frontMatter["slug"] = slugOf(page);
      if (page === "README.md") parsed.frontMatter["sidebar_label"] = "Five minutes";
      return parsed;
    },
  },
  future: { v4: true, faster: true },

  // The account item is the example's, and what it needs with it.
  customFields: {
    latchkeyUrl: urlFromEnv("LATCHKEY_URL", "http://localhost:3001"),
    apiUrl: urlFromEnv("API_URL", "http://localhost:8000"),
  },
  scripts: ["/site-urls.js"],
  staticDirectories: ["../examples/docusaurus/static"],
  plugins: [
    function oneOfEach() {
      const own = (name: string) => join(__dirname, "node_modules", name);
      const names = ["react", "react-dom"];
      return {
        name: "one-of-each",
        // Of the example's components too, whatever is installed around them.
        configureWebpack: () => ({
          resolve: { alias: Object.fromEntries(names.map((name) => [name, own(name)])) },
        }),
      };
    },
  ],

  presets: [
    [
      "classic",
      {
        docs: {
          path: documents,
          routeBasePath: "docs",
          sidebarPath: "./sidebars.ts",
          beforeDefaultRemarkPlugins: [
            [sourceLinks, { documents, pages, sourceUrl: process.env["SOURCE_URL"] || null }],
          ],
        },
        blog: false,
        theme: { customCss: ["../examples/docusaurus/src/css/custom.css", "./src/css/custom.css"] },
      } satisfies Preset.Options,
    ],
  ],

  themeConfig: {
    colorMode: { respectPrefersColorScheme: true },
    navbar: {
      title: "latchkey",
      logo: { alt: "", src: "img/logo.svg", width: 32, height: 32 },
      items: [
        { type: "docSidebar", sidebarId: "documents", position: "left", label: "Documents" },
        { to: "/docs/troubleshooting", position: "left", label: "Troubleshooting" },
        { to: "/docs/contract", position: "left", label: "Contract" },
        { type: "custom-latchkeyAccount", position: "right" },
      ],
    },
    footer: { style: "light", copyright: "latchkey, MIT. Its own latchkey signs you in here." },
    prism: {
      theme: light,
      darkTheme: dark,
      additionalLanguages: ["bash", "ini", "nginx", "python", "sql", "lua"],
    },
  } satisfies Preset.ThemeConfig,
};

export default config;
