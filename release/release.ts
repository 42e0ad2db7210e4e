import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import { billOfMaterials } from "./bill-of-materials.ts";
import { buildCommand } from "./build-command.ts";
import { type Component, readComponents } from "./components.ts";

/** Bun's names of what it compiles for. */
const targets = [
  "linux-x64",
  "linux-x64-baseline",
  "linux-x64-musl",
  "linux-arm64",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
  "windows-x64",
] as const;

const project = join(import.meta.dir, "..");
const folder = join(project, "dist", "release");

process.exit(await main(process.argv.slice(2)));

/**
 * Writes `dist/release`: an executable a target, the list of what is inside, the licences, and the checksums of them all.
 * @param argv the targets; without them, all. @returns the exit status.
 */
async function main(argv: readonly string[]): Promise<number> {
  const wanted = argv.length > 0 ? argv : targets;
  const unknown = wanted.filter((target) => !targets.some((known) => known === target));
  if (unknown.length > 0) {
    console.error(`Error: unknown target ${unknown.join(", ")}. Known: ${targets.join(", ")}.`);
    return 2;
  }
  const { version } = packageJson;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  let components: Component[] = [];
  for (const target of wanted) components = compile(version, target);
  const subject = { version, bun: Bun.version };
  const name = `latchkey-${version}`;
  writeFileSync(join(folder, `${name}.cdx.json`), billOfMaterials(subject, components));
  writeFileSync(join(folder, `${name}-licences.txt`), licences(components));
  writeFileSync(join(folder, "SHA256SUMS"), await checksums());
  console.log(await Bun.file(join(folder, "SHA256SUMS")).text());
  return 0;
}

/** By the project's own build, so that a release is what everybody builds. @returns what is inside. */
function compile(version: string, target: string): Component[] {
  const suffix = target.startsWith("windows") ? ".exe" : "";
  // An executable carries the name that it was built by: the bytes are those of `bun run build` alone under the same one.
  const outfile = join(folder, `latchkey${suffix}`);
  const metafile = join(project, "dist", "metafile.json");
  const command = buildCommand(project, outfile);
  const build = Bun.spawnSync(
    [process.execPath, ...command, `--target=bun-${target}`, `--metafile=${metafile}`],
    { cwd: project },
  );
  if (!build.success) throw new Error(`${target}: ${build.stderr.toString()}`);
  renameSync(outfile, join(folder, `latchkey-${version}-${target}${suffix}`));
  const inside = readComponents(project, JSON.parse(readFileSync(metafile, "utf8")));
  rmSync(metafile);
  return inside;
}

function licences(components: readonly Component[]): string {
  const own = readFileSync(join(project, "LICENSE"), "utf8");
  const others = components.map(
    ({ name, version, license, texts }) => `${name} ${version}: ${license}\n\n${texts.join("\n")}`,
  );
  const bun = `Bun ${Bun.version}: MIT, and those of what it is made of: https://bun.com/docs/project/license`;
  return [`latchkey\n\n${own}`, bun, ...others].join(`\n${"-".repeat(80)}\n\n`);
}

/** As `sha256sum --check` reads them. */
async function checksums(): Promise<string> {
  const lines = readdirSync(folder)
    .filter((file) => file !== "SHA256SUMS")
    .toSorted()
    .map(async (file) => {
      const bytes = await Bun.file(join(folder, file)).bytes();
      return `${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}  ${file}\n`;
    });
  return (await Promise.all(lines)).join("");
}
