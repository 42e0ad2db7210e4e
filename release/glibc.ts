import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A kind of machine, by the name that images and Debian have for it. */
export type Architecture = "amd64" | "arm64";

/** A file that goes into an image. */
export interface LibraryFile {
  /** From the image's root, without the first slash. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * Debian's C library, pinned by its sum, so that an image is the same wherever it is made. To renew it, take Version and SHA256 of
 * libc6 from Debian's index: https://deb.debian.org/debian/dists/bookworm/main/binary-amd64/Packages.gz, and -arm64.
 */
const pinned = {
  version: "2.36-9+deb12u14",
  sha256: {
    amd64: "ba4f88f73dbc3ae9055f3c20f4523bfdbaf1ad13ff95e258924f77d20b4fbedf",
    arm64: "01f4330719fd4f65580e16ea5a0527f372fca750e8f588d26deaf09f2d3b1cf4",
  },
} as const;

const places = {
  amd64: { loader: "lib64/ld-linux-x86-64.so.2", libraries: "lib/x86_64-linux-gnu" },
  arm64: { loader: "lib/ld-linux-aarch64.so.1", libraries: "lib/aarch64-linux-gnu" },
} as const;

/** What the executable names, by `readelf --dynamic`, beside the loader. */
const libraries = ["libc.so.6", "libpthread.so.0", "libdl.so.2", "libm.so.6"];

const pool = "https://deb.debian.org/debian/pool/main/g/glibc";
const cache = join(import.meta.dir, "..", "node_modules", ".cache", "latchkey-glibc");
const downloadTimeoutMs = 60_000;

/** The version of the C library in an image. */
export const glibcVersion: string = pinned.version;

/** @returns the loader, the libraries that the executable links to, and their licence. @throws where they cannot be had. */
export async function readGlibc(architecture: Architecture): Promise<readonly LibraryFile[]> {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-glibc-"));
  try {
    const deb = await download(architecture);
    const extract = Bun.spawnSync(["dpkg-deb", "--extract", deb, folder]);
    if (!extract.success) throw new Error(`dpkg-deb --extract ${deb}: ${extract.stderr.toString()}`);
    const { loader, libraries: place } = places[architecture];
    const paths = [loader, ...libraries.map((name) => `${place}/${name}`), "usr/share/doc/libc6/copyright"];
    // The loader is a link, which is followed.
    return paths.map((path) => ({ path, bytes: readFileSync(real(folder, path, place)) }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** On amd64 the loader's link is absolute, and leads to the libraries. */
function real(folder: string, path: string, place: string): string {
  const within = join(folder, place, path.split("/").at(-1) ?? "");
  return path.startsWith("lib") && existsSync(within) ? within : join(folder, path);
}

async function download(architecture: Architecture): Promise<string> {
  const wanted = pinned.sha256[architecture];
  const kept = join(cache, `${wanted}.deb`);
  if (existsSync(kept)) return kept;
  const url = `${pool}/libc6_${pinned.version}_${architecture}.deb`;
  const answer = await fetch(url, { signal: AbortSignal.timeout(downloadTimeoutMs) });
  if (!answer.ok)
    throw new Error(
      `${url}: ${answer.status}. Debian keeps the newest alone: renew what release/glibc.ts pins.`,
    );
  const bytes = await answer.bytes();
  const sum = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  if (sum !== wanted) throw new Error(`${url} has the sum ${sum}, and not ${wanted}`);
  mkdirSync(cache, { recursive: true });
  const fresh = `${kept}.${process.pid}`;
  writeFileSync(fresh, bytes);
  renameSync(fresh, kept);
  return kept;
}
