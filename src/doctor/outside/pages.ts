import { type Check, failed, passed, warned } from "../check.ts";
import type { Answer, Ask } from "./ask.ts";

const asPage = { accept: "text/html", "sec-fetch-mode": "navigate" };
const allPaths = "have the proxy send every path of this host to latchkey: docs/proxies.md";

/** What a browser and a crawler see of the sign-in page. */
export async function pageChecks(ask: Ask): Promise<readonly Check[]> {
  const page = await ask("/signin", { headers: asPage });
  if (page.status !== 200 || page.header("content-type")?.startsWith("text/html") !== true) {
    const type = page.header("content-type") ?? "no type";
    return [failed("pages", `/signin answers ${page.status} with ${type}, and no page`, allPaths)];
  }
  const packed = await ask("/signin", { headers: { ...asPage, "accept-encoding": "gzip, br, zstd" } });
  return [await filesCheck(ask, page), headersCheck(page), crawlerCheck(page), compressionCheck(packed)];
}

/** A proxy that knows only some paths shows pages without their looks. */
async function filesCheck(ask: Ask, { text }: Answer): Promise<Check> {
  const files = [...text.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path = ""]) => path);
  for (const path of files) {
    const file = await ask(path);
    if (file.status !== 200) return failed("pages", `${path} of /signin answers ${file.status}`, allPaths);
  }
  return passed("pages", `/signin, and its ${files.length} files`);
}

interface Wanted {
  readonly header: string;
  readonly holds: readonly string[];
}

const wanted: readonly Wanted[] = [
  { header: "content-security-policy", holds: ["default-src 'none'", "frame-ancestors 'none'"] },
  { header: "x-content-type-options", holds: ["nosniff"] },
  { header: "referrer-policy", holds: ["same-origin"] },
  { header: "cross-origin-opener-policy", holds: ["same-origin"] },
];

function headersCheck(page: Answer): Check {
  const name = "security headers";
  for (const { header, holds } of wanted) {
    const values = page.all(header);
    const remedy = `let latchkey alone send ${header}`;
    const [value] = values;
    if (value === undefined) return failed(name, `${header} is missing`, `${remedy}, and pass it on`);
    const lost = holds.find((part) => !value.includes(part));
    if (lost !== undefined) return failed(name, `${header} is ${value}, without ${lost}`, remedy);
    if (values.length > 1)
      return warned(name, `${header} is there ${values.length} times: ${values.join(" and ")}`, remedy);
  }
  if (/unsafe-(?:inline|eval)/.test(page.header("content-security-policy") ?? ""))
    return failed(
      name,
      "content-security-policy allows inline script or style",
      "let latchkey alone send content-security-policy",
    );
  return passed(name, `${wanted.map(({ header }) => header).join(", ")}: as latchkey sends them`);
}

function crawlerCheck(page: Answer): Check {
  const name = "crawlers";
  const says =
    /<meta name="robots" content="([^"]*)"/.exec(page.text)?.[1] ?? page.header("x-robots-tag") ?? "";
  if (/\bnoindex\b/.test(says)) return passed(name, `/signin says ${says}`);
  return warned(name, "/signin may be found by search engines", "pass latchkey's pages on as they are");
}

function compressionCheck(page: Answer): Check {
  const name = "compression";
  const coding = page.header("content-encoding");
  if (coding === null) return passed(name, "none: the length of an answer says nothing of its secrets");
  return warned(
    name,
    `pages are compressed (${coding}): where an answer holds a secret and something of a stranger's, its length can tell the secret`,
    "switch it off for latchkey's host: gzip off; in nginx, no encode in Caddy, no compress middleware in Traefik, no compression in HAProxy",
  );
}
