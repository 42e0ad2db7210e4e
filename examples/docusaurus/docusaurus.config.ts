import type * as Preset from "@docusaurus/preset-classic";
import type { Config } from "@docusaurus/types";
import { themes } from "prism-react-renderer";

/** @throws with the variable's name, so that a typing error ends the build and not somebody's login. */
function urlFromEnv(name: string, fallback: string): string {
  const value = process.env[name] || fallback;
  if (!URL.canParse(value) || !/^https?:\/\//i.test(value))
    throw new Error(`${name} must be an address such as ${fallback}, not ${JSON.stringify(value)}`);
  return new URL(value).href.replace(/\/+$/, "");
}

const config: Config = {
  title: "Session School",
  tagline: "Two short lessons on how a website knows who you are",
  favicon: "img/logo.svg",
  url: urlFromEnv("SITE_URL", "http://localhost:3000"),
  baseUrl: "/",
  trailingSlash: false,
  onBrokenLinks: "throw",
  onBrokenAnchors: "throw",
  onDuplicateRoutes: "throw",
  markdown: { hooks: { onBrokenMarkdownLinks: "throw", onBrokenMarkdownImages: "throw" } },
  future: { v4: true, faster: true },

  // Where the other two programs are: fixed at build time here, replaceable afterwards in static/site-urls.js.
  customFields: {
    latchkeyUrl: urlFromEnv("LATCHKEY_URL", "http://localhost:3001"),
    apiUrl: urlFromEnv("API_URL", "http://localhost:8000"),
  },
  // Not deferred: it has to run before the bundle reads it.
  scripts: ["/site-urls.js"],

  presets: [
    [
      "classic",
      {
        docs: { sidebarPath: "./sidebars.ts" },
        blog: false,
        theme: { customCss: "./src/css/custom.css" },
      } satisfies Preset.Options,
    ],
  ],

  themeConfig: {
    colorMode: { respectPrefersColorScheme: true },
    navbar: {
      title: "Session School",
      logo: { alt: "", src: "img/logo.svg", width: 32, height: 32 },
      items: [
        { type: "docSidebar", sidebarId: "course", position: "left", label: "Lessons" },
        { type: "custom-latchkeyAccount", position: "right" },
      ],
    },
    footer: {
      style: "light",
      copyright: "An example of a Docusaurus site with latchkey as its auth server.",
    },
    prism: { theme: themes.github, darkTheme: themes.dracula },
  } satisfies Preset.ThemeConfig,
};

export default config;
