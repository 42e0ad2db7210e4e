import { dirname, join, normalize, relative } from "node:path";

interface Node {
  type: string;
  url?: string;
  children?: Node[];
}

export interface SourceLinksOptions {
  /** The folder with the copies of the documents, absolute. */
  readonly documents: string;
  /** The documents that the site has, by their paths from the project. */
  readonly pages: readonly string[];
  /** Where the project's files can be looked at, such as https://example.com/latchkey/blob/main; null: nowhere. */
  readonly sourceUrl: string | null;
}

/**
 * A remark plugin: a link to a file of the project that is no page of the site leads to where the sources are, or is text
 * where they are nowhere. Pictures are left to Docusaurus.
 */
export function sourceLinks({ documents, pages, sourceUrl }: SourceLinksOptions) {
  const change = (node: Node, file: string) => {
    const { url } = node;
    if (node.type === "link" && url !== undefined && !/^(?:[a-z]+:|#|\/)/i.test(url)) {
      const [path = ""] = url.split("#");
      const target = relative(documents, normalize(join(dirname(file), decodeURIComponent(path))));
      if (!pages.includes(target) && !/\.(?:png|svg)$/.test(target)) {
        if (sourceUrl === null) toText(node);
        else node.url = `${sourceUrl}/${target}`;
      }
    }
    for (const child of node.children ?? []) change(child, file);
  };
  return (tree: Node, { path }: { readonly path: string }) => change(tree, path);
}

/** Emphasis of no kind: what stood in the link. */
function toText(node: Node): void {
  node.type = "span";
  delete node.url;
  Object.assign(node, { data: { hName: "span" } });
}
