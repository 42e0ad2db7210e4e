import type { SidebarsConfig } from "@docusaurus/plugin-content-docs";
import { chapters } from "./pages";

const sidebars: SidebarsConfig = {
  documents: chapters.map(({ title, pages }) => ({
    type: "category" as const,
    label: title,
    collapsed: false,
    items: pages.map((page) => page.replace(/\.md$/, "")),
  })),
};

export default sidebars;
