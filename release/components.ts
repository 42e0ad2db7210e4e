import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A package of which something is inside the executable. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression, as the package names it. */
  readonly license: string;
  /** Of the package as the registry has it, in hexadecimal: what bun.lock pins. */
  readonly sha512: string;
  /** The package's own licence texts. */
  readonly texts: readonly string[];
}

/** What the bundler writes with `--metafile`: its inputs by their path below the project. */
interface Metafile {
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** @returns the packages that the bundler took something from, by name. @throws where bun.lock does not know one. */
export function readComponents(project: string, metafile: Metafile): Component[] {
  const folders = new Set(Object.keys(metafile.inputs).flatMap(packageFolder));
  const hashes = readHashes(project);
  return [...folders]
    .map((folder) => readComponent(join(project, folder), hashes))
    .toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
}

const keyOf = ({ name, version }: Pick<Component, "name" | "version">) => `${name}@${version}`;

function packageFolder(input: string): string[] {
  const found = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(input)?.[0];
  return found === undefined ? [] : [found];
}

function readComponent(folder: string, hashes: ReadonlyMap<string, string>): Component {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<
    "name" | "version" | "license",
    string | undefined
  >;
  if (name === undefined || version === undefined || license === undefined)
    throw new Error(`${folder} does not say its name, version and licence`);
  const sha512 = hashes.get(keyOf({ name, version }));
  if (sha512 === undefined) throw new Error(`bun.lock does not pin ${name} ${version}`);
  const texts = readdirSync(folder)
    .filter((file) => /^(?:licen[cs]e|copying|notice)\b/i.test(file))
    .toSorted()
    .map((file) => readFileSync(join(folder, file), "utf8"));
  return { name, version, license, sha512, texts };
}

/** `name@version` → sha512 in hexadecimal. */
function readHashes(project: string): Map<string, string> {
  const { packages } = Bun.JSONC.parse(readFileSync(join(project, "bun.lock"), "utf8")) as {
    packages: Readonly<Record<string, readonly unknown[]>>;
  };
  return new Map(
    Object.values(packages).map((entry) => [
      String(entry[0]),
      Buffer.from(String(entry[3]).replace("sha512-", ""), "base64").toString("hex"),
    ]),
  );
}
