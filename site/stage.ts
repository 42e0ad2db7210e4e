import { copyFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/**
 * Copies documents, and the pictures that they show or lead to, into a folder of their own, in the places they have to each
 * other: Docusaurus walks through all of the folder that its documents are in.
 * @param pages by their paths from `project`.
 */
export function stageDocuments(project: string, folder: string, pages: readonly string[]): void {
  rmSync(folder, { recursive: true, force: true });
  const copy = (path: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    copyFileSync(join(project, path), join(folder, path));
  };
  for (const page of pages) {
    copy(page);
    const text = readFileSync(join(project, page), "utf8");
    for (const [, picture = ""] of text.matchAll(/\]\(((?!https?:)[^)\s]+\.(?:png|svg))\)/g))
      copy(normalize(join(dirname(page), picture)));
  }
}
