import { existsSync } from "node:fs";
import { join } from "node:path";

/** A heading of the sidebar and the documents under it, by their paths from the project. */
export interface Chapter {
  readonly title: string;
  readonly pages: readonly string[];
}

const project = join(__dirname, "..");

/** Every document that the site has, as a reader would go through them. */
export const chapters: readonly Chapter[] = [
  { title: "Start", pages: ["README.md", "docs/first-run.md", "docs/install.md"] },
  {
    title: "Set up",
    pages: [
      "docs/configuration.md",
      "docs/databases.md",
      "docs/domains.md",
      "docs/https.md",
      "docs/proxies.md",
      "docs/clients.md",
      "examples/docusaurus/README.md",
      "examples/fastapi/README.md",
    ],
  },
  {
    title: "Operate",
    pages: [
      "docs/operations.md",
      "docs/users.md",
      "docs/moving.md",
      "docs/backup.md",
      "docs/upgrade.md",
      "docs/rotation.md",
      "docs/monitoring.md",
      "docs/mail.md",
      "docs/limits.md",
      "docs/breached-passwords.md",
    ],
  },
  { title: "Mend", pages: ["docs/troubleshooting.md"] },
  { title: "Scale", pages: ["docs/workers.md", "docs/failover.md", "docs/scale.md"] },
  {
    title: "Look up",
    pages: [
      "docs/contract.md",
      "SECURITY.md",
      "docs/security-checklist.md",
      "docs/architecture.md",
      "CHANGELOG.md",
    ],
  },
  {
    title: "Take part",
    pages: [
      "CONTRIBUTING.md",
      "bench/README.md",
      "bench/results/full.md",
      "bench/results/peers.md",
      "bench/results/scale.md",
    ],
  },
].map(({ title, pages }) => ({ title, pages: pages.filter((page) => existsSync(join(project, page))) }));

/** Of all chapters. */
export const pages: readonly string[] = chapters.flatMap((chapter) => chapter.pages);

/** Where a document is on the site, under `/docs`: `docs/users.md` is `/users`, `bench/README.md` is `/bench`. */
export function slugOf(page: string): string {
  if (page === "README.md") return "/";
  const name = page.replace(/^docs\//, "").replace(/(?:\/README)?\.md$/, "");
  return `/${name.toLowerCase()}`;
}
