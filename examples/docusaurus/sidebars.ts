import type { SidebarsConfig } from "@docusaurus/plugin-content-docs";

const sidebars: SidebarsConfig = {
  course: [
    "intro",
    { type: "category", label: "Lessons", collapsed: false, items: ["lessons/sessions", "lessons/cookies"] },
  ],
};

export default sidebars;
