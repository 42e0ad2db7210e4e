import { cp, mkdir, readdir, rename, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { forgetProcess, once, temporaryDirectory, watchProcess } from "./reaper.ts";

const projectDirectory = join(import.meta.dir, "..", "..");
const cacheDirectory = join(projectDirectory, "node_modules", ".cache", "latchkey");

/** What a developer's own install and build leave in the example's folder. */
const notSources = new Set(["node_modules", ".docusaurus", ".documents", "build"]);

const oldestNode = 20;

/** What would change the result, or what `bun test` sets and a build must not see. */
const withheldVariables = ["LATCHKEY_URL", "API_URL", "SITE_URL", "NODE_ENV", "TEST"];

/**
 * Installs and builds `examples/docusaurus` in a copy of its folder, once for each state of its sources (about 20 s, then
 * nothing). Needs Node 20 on the PATH and, the first time, the package registry.
 *
 * @returns the directory of the built pages, absolute.
 */
export const buildDocs: () => Promise<string> = once(() => build("examples/docusaurus", []));

/** The same of `site`, latchkey's own documents. */
export const buildOwnSite: () => Promise<string> = once(() =>
  build("site", [
    "examples/docusaurus",
    "examples/fastapi/README.md",
    "docs",
    "bench/README.md",
    "bench/results",
    ...new Bun.Glob("*.md").scanSync(projectDirectory),
  ]),
);

/** @param site the site's folder. @param others further files and folders that it is made of. Paths from the project. */
async function build(site: string, others: readonly string[]): Promise<string> {
  const sources = (await Promise.all([site, ...others].map(listSources))).flat().sort();
  const name = site.split("/").at(-1) ?? site;
  const built = join(cacheDirectory, `${name}-${await hashOf(sources)}`);
  if (await isDirectory(built)) return built;

  await requireNode();
  // Not below node_modules, where Docusaurus leaves TypeScript uncompiled.
  const copy = temporaryDirectory("docusaurus");
  for (const path of sources) await cp(join(projectDirectory, path), join(copy, path));
  await runBun(["install", "--frozen-lockfile"], join(copy, site));
  await runBun(["run", "build"], join(copy, site));

  await mkdir(cacheDirectory, { recursive: true });
  const staged = `${built}.${process.pid}`;
  await cp(join(copy, site, "build"), staged, { recursive: true });
  await rename(staged, built).catch(async (error: unknown) => {
    if (!(await isDirectory(built))) throw error; // else another process was faster
  });
  return built;
}

/** The files of a folder, or a file itself, by their paths from the project. */
async function listSources(path: string): Promise<string[]> {
  if (!(await isDirectory(join(projectDirectory, path)))) return [path];
  const names = await readdir(join(projectDirectory, path));
  const below = names.filter((name) => !notSources.has(name)).map((name) => listSources(join(path, name)));
  return (await Promise.all(below)).flat();
}

async function hashOf(sources: readonly string[]): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  for (const path of sources) {
    const content = await Bun.file(join(projectDirectory, path)).bytes();
    hash.update(`${path}\0${content.byteLength}\0`).update(content);
  }
  return hash.digest("hex").slice(0, 16);
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/** Docusaurus' command is a script for Node. @throws with what is missing and how to get it. */
async function requireNode(): Promise<void> {
  const node = Bun.which("node");
  const said = node === null ? "" : await new Response(Bun.spawn([node, "--version"]).stdout).text();
  if (Number(/^v(\d+)/.exec(said)?.[1] ?? 0) >= oldestNode) return;
  throw new Error(
    `Docusaurus builds the docs site with Node ${oldestNode} or newer: ` +
      `${node === null ? "no node in PATH" : `${node} is ${said.trim() || "not one that runs"}`}. ` +
      "Get one: apt-get install nodejs, brew install node, or https://nodejs.org/en/download",
  );
}

async function runBun(args: readonly string[], cwd: string): Promise<void> {
  const env: Record<string, string | undefined> = { ...process.env, NO_UPDATE_NOTIFIER: "1", CI: "1" };
  for (const name of withheldVariables) delete env[name];
  const child = Bun.spawn([process.execPath, ...args], {
    cwd,
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  // Its group: what ends `bun run` does not end the build.
  watchProcess(-child.pid, "TERM");
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  forgetProcess(-child.pid);
  if (code !== 0) throw new Error(`${cwd}: bun ${args.join(" ")} failed (${code}):\n${stdout}${stderr}`);
}

/** What the site's `site-urls.js` sets: where latchkey and the API are, without a trailing slash. */
interface SiteUrls {
  readonly latchkeyUrl: string;
  readonly apiUrl: string;
}

export interface ServeDocsOptions {
  /** As `buildDocs` returned it. */
  readonly buildDir: string;
  /**
   * A function is asked anew for each page load: latchkey must be told the site's origin when it starts, and the site
   * learns latchkey's address afterwards.
   */
  readonly config: SiteUrls | (() => SiteUrls);
  /** Default: a free one. */
  readonly port?: number;
}

export interface DocsServer {
  /** `http://localhost:…`, without a trailing slash: cookies set for `localhost` do not reach `127.0.0.1`. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Serves the built pages as static hosts do: `/docs/intro` is `docs/intro.html`, what is not there is `404.html`. */
export async function serveDocs({ buildDir, config, port = 0 }: ServeDocsOptions): Promise<DocsServer> {
  const files = new Map<string, string>();
  for await (const path of new Bun.Glob("**/*").scan({ cwd: buildDir, absolute: true }))
    files.set(`/${relative(buildDir, path)}`, path);
  if (!files.has("/index.html")) throw new Error(`there is no site in ${buildDir}`);

  const server = Bun.serve({
    hostname: "localhost",
    port,
    fetch(request) {
      const url = new URL(request.url);
      if (url.pathname === "/site-urls.js")
        return siteUrlsScript(typeof config === "function" ? config() : config);
      const found = findPage(files, url.pathname);
      if (found !== undefined) return page(found);
      const withoutSlash = url.pathname.replace(/\/+$/, "");
      if (findPage(files, withoutSlash) === undefined) return page(files.get("/404.html") ?? "", 404);
      return new Response(null, { status: 301, headers: { location: `${withoutSlash}${url.search}` } });
    },
  });
  return { url: `http://localhost:${server.port}`, stop: () => server.stop(true) };
}

function findPage(files: ReadonlyMap<string, string>, pathname: string): string | undefined {
  const path = pathname === "/" ? "/index" : pathname;
  return files.get(path) ?? files.get(`${path}.html`);
}

function page(path: string, status = 200): Response {
  return new Response(Bun.file(path), { status, headers: { "cache-control": "no-store" } });
}

function siteUrlsScript(urls: SiteUrls): Response {
  return new Response(`window.__SITE_URLS__ = ${JSON.stringify(urls)};\n`, {
    headers: { "content-type": "text/javascript; charset=utf-8", "cache-control": "no-store" },
  });
}
