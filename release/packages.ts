import { existsSync } from "node:fs";
import { join } from "node:path";
import { writeDeb } from "./deb.ts";
import type { Architecture } from "./glibc.ts";
import { writeOciImage } from "./oci.ts";

/** The targets of which packages are made, by the kind of machine. */
const targets = { amd64: "linux-x64", arm64: "linux-arm64" } as const;

/**
 * Writes Debian's packages, and an image of them all, of the executables that a release's folder has: to be called before its
 * checksums are made, and after its licences.
 * @param compression of Debian's packages. @returns the paths; none where there is no such executable. @throws what packs them is missing.
 */
export async function writePackages(
  folder: string,
  version: string,
  compression: "xz" | "gzip" = "xz",
): Promise<readonly string[]> {
  const executables: Partial<Record<Architecture, string>> = {};
  for (const architecture of ["amd64", "arm64"] as const) {
    const path = join(folder, `latchkey-${version}-${targets[architecture]}`);
    if (existsSync(path)) executables[architecture] = path;
  }
  const found = Object.entries(executables) as [Architecture, string][];
  if (found.length === 0) return [];
  const debs = found.map(([architecture, path]) =>
    writeDeb(path, folder, version, architecture, { compression }),
  );
  return [...debs, await writeOciImage(executables, folder, version)];
}
