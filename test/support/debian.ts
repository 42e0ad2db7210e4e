import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { once } from "./reaper.ts";

/** A program of Debian's, unpacked with the libraries it was built with: it needs neither root nor Debian to run. */
export interface DebianProgram {
  /** What to start it by; its own arguments follow. */
  readonly command: readonly string[];
  /** Where its package was unpacked. */
  readonly root: string;
}

export interface DebianPackage {
  /** A release, e.g. `bookworm`: which version of the program it has. */
  readonly suite: "bookworm" | "trixie" | "forky";
  readonly name: string;
  /** The program's path in the package, without the first slash. */
  readonly program: string;
  /** Of what it is for; one of another than this machine's needs an emulator. Default `amd64`. */
  readonly architecture?: "amd64" | "arm64";
}

const mirror = "http://deb.debian.org/debian";
const cache = join(import.meta.dir, "../../node_modules/.cache/latchkey-debian");

/** Downloads, checks and unpacks a program once a machine. @throws with the reason when that cannot be done here. */
export async function debianProgram(wanted: DebianPackage): Promise<DebianProgram> {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Error(
      `${wanted.name} of Debian is for linux x64, and this is ${process.platform} ${process.arch}`,
    );
  if (Bun.which("dpkg-deb") === null) throw new Error("dpkg-deb is missing, which unpacks Debian's packages");
  const { architecture = "amd64" } = wanted;
  const root = join(
    cache,
    `${wanted.suite}-${wanted.name}${architecture === "amd64" ? "" : `-${architecture}`}`,
  );
  if (!existsSync(root)) await unpack(wanted, root);
  // Newer releases have everything below `usr`.
  const loader = ["lib64", "usr/lib64"]
    .map((path) => join(root, path, "ld-linux-x86-64.so.2"))
    .find(existsSync);
  const libraries = ["lib", "usr/lib"].map((path) => join(root, path, "x86_64-linux-gnu"));
  const program = join(root, wanted.program);
  // A static program has no loader beside it.
  const command = loader === undefined ? [program] : [loader, "--library-path", libraries.join(":"), program];
  return { command, root };
}

interface Entry {
  readonly depends: readonly string[];
  readonly path: string;
  readonly sha256: string;
}

/** Unpacks beside the place and moves it there whole: other test processes may be doing the same. */
async function unpack({ suite, name, architecture }: DebianPackage, root: string): Promise<void> {
  const index = await readIndex(suite, architecture ?? "amd64");
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, "unpacking-"));
  try {
    for (const entry of closure(index, name)) await unpackInto(fresh, entry);
    // PostgreSQL's companions run as another user.
    chmodSync(fresh, 0o755);
    renameSync(fresh, root);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(root)) throw error;
  }
}

async function unpackInto(directory: string, { path, sha256 }: Entry): Promise<void> {
  const bytes = await download(`${mirror}/${path}`);
  if (new Bun.CryptoHasher("sha256").update(bytes).digest("hex") !== sha256)
    throw new Error(`${path} is not what Debian's index says`);
  const child = Bun.spawn(["dpkg-deb", "--extract", "-", directory], {
    stdin: bytes,
    stdout: "ignore",
    stderr: "pipe",
  });
  const stderr = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`dpkg-deb --extract ${path}: ${stderr}`);
}

/** The package and the libraries that it needs, by way of one another. */
function closure(index: ReadonlyMap<string, Entry>, name: string): readonly Entry[] {
  const found = new Map<string, Entry>();
  const visit = (at: string) => {
    const entry = index.get(at);
    if (entry === undefined || found.has(at)) return;
    found.set(at, entry);
    // Programs, such as debconf, are for installing.
    for (const needed of entry.depends)
      if (needed.startsWith("lib") || needed.startsWith("zlib")) visit(needed);
  };
  visit(name);
  if (found.size === 0) throw new Error(`Debian has no package ${name}`);
  return [...found.values()];
}

const indexes = new Map<string, () => Promise<ReadonlyMap<string, Entry>>>();

function readIndex(suite: string, architecture: string): Promise<ReadonlyMap<string, Entry>> {
  const key = `${suite} ${architecture}`;
  const read =
    indexes.get(key) ??
    once(async () => {
      const packed = await download(`${mirror}/dists/${suite}/main/binary-${architecture}/Packages.gz`);
      return parseIndex(new TextDecoder().decode(Bun.gunzipSync(packed)));
    });
  indexes.set(key, read);
  return read();
}

function parseIndex(text: string): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const paragraph of text.split("\n\n")) {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(paragraph)?.[1] ?? "";
    const depends = [field("Depends"), field("Pre-Depends")].join(",").split(",");
    entries.set(field("Package"), {
      depends: depends.map((one) => /^\s*([\w.+-]+)/.exec(one)?.[1] ?? "").filter((one) => one !== ""),
      path: field("Filename"),
      sha256: field("SHA256"),
    });
  }
  return entries;
}

async function download(url: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url, { signal: AbortSignal.timeout(60_000) });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
