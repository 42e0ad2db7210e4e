import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import { billOfMaterials } from "./bill-of-materials.ts";
import { buildCommand } from "./build-command.ts";
import { type Component, readComponents } from "./components.ts";
import { writePackages } from "./packages.ts";
import { readSigning, signedBy } from "./signing.ts";

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
 * Writes `dist/release`: an executable a target, the list of what is inside, the licences, Debian's packages and the image where no
 * target is named, the checksums of them all, and their signature where a key is given.
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
  let signing: ReturnType<typeof readSigning>;
  try {
    signing = readSigning(process.env);
  } catch (error) {
    console.error(`Error: ${(error as Error).message}.`);
    return 2;
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  let components: Component[] = [];
  for (const target of wanted) components = compile(version, target, signing.trusted);
  const subject = { version, bun: Bun.version };
  const name = `latchkey-${version}`;
  writeFileSync(join(folder, `${name}.cdx.json`), billOfMaterials(subject, components));
  writeFileSync(join(folder, `${name}-licences.txt`), licences(components));
  // Packing takes a minute: not for one target alone.
  if (argv.length === 0) await writePackages(folder, version);
  const sums = await checksums();
  writeFileSync(join(folder, "SHA256SUMS"), sums);
  const { key, trusted } = signing;
  if (key !== null)
    writeFileSync(
      join(folder, "SHA256SUMS.minisig"),
      signedBy(key, Buffer.from(sums), `latchkey ${version}`),
    );
  console.log(sums);
  for (const target of wanted) {
    const file = executableName(version, target);
    console.log(`${String(statSync(join(folder, file)).size).padStart(11)} bytes  ${file}`);
  }
  console.log(
    key === null
      ? "\nUNSIGNED: LATCHKEY_RELEASE_KEY_FILE names no key."
      : `\nSigned by ${key.id}: minisign -V -P ${key.publicKey} -m SHA256SUMS`,
  );
  console.log(
    trusted.length === 0
      ? "latchkey upgrade trusts no key of itself: it is to be told one by --key."
      : `latchkey upgrade trusts ${trusted.join(" and ")}.`,
  );
  return 0;
}

function executableName(version: string, target: string): string {
  return `latchkey-${version}-${target}${suffixOf(target)}`;
}

function suffixOf(target: string): string {
  return target.startsWith("windows") ? ".exe" : "";
}

/** By the project's own build, so that a release is what everybody builds. @returns what is inside. */
function compile(version: string, target: string, trusted: readonly string[]): Component[] {
  // An executable carries the name that it was built by: the bytes are those of `bun run build` alone under the same one.
  const outfile = join(folder, `latchkey${suffixOf(target)}`);
  const metafile = join(project, "dist", "metafile.json");
  const command = buildCommand(project, outfile);
  const own = trusted.length === 0 ? [] : [`LATCHKEY_RELEASE_PUBLIC_KEY=${JSON.stringify(trusted.join())}`];
  const build = Bun.spawnSync(
    [
      process.execPath,
      ...command,
      ...own.flatMap((define) => ["--define", define]),
      `--target=bun-${target}`,
      `--metafile=${metafile}`,
    ],
    { cwd: project },
  );
  if (!build.success) throw new Error(`${target}: ${build.stderr.toString()}`);
  renameSync(outfile, join(folder, executableName(version, target)));
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
