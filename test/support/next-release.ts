import { cpSync, existsSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import { basename, join } from "node:path";
import { buildCommand } from "../../release/build-command.ts";
import { readSecretKey, type SecretKey } from "../../release/minisign-key.ts";
import { migrations } from "../../src/database/migrations.ts";
import { once, temporaryDirectory } from "./reaper.ts";

const project = join(import.meta.dir, "..", "..");
const target = `${process.platform}-${process.arch}`;

export const nextVersion = "0.2.0";
/** The migration that only the next latchkey knows: additive, but for what `NEXT_MIN_READER` says. */
export const nextTag = `${String(migrations.sqlite.length).padStart(4, "0")}_next`;

/** A key as `minisign -G -W` makes one, and the text of its file. */
export function makeSigningKey(): SecretKey & { readonly text: string } {
  const { d = "", x = "" } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const [seed, stored] = [d, x].map((text) => Buffer.from(text, "base64url"));
  const number = crypto.getRandomValues(Buffer.alloc(8));
  const head = Buffer.concat([Buffer.from("Ed\0\0B2", "latin1"), Buffer.alloc(32 + 8 + 8)]);
  const bytes = Buffer.concat([head, number, seed ?? "", stored ?? "", Buffer.alloc(32)] as Buffer[]);
  const text = `untrusted comment: of a test\n${bytes.toString("base64")}\n`;
  return { ...readSecretKey(text, null), text };
}

/** The key that the next latchkey has built in. */
export const releaseKey = once(makeSigningKey);

/** What is another in the next one's sources. `NEXT_FAILS` says how its server fails: `start`, `after migration`, `unhealthy`. */
const changes: readonly (readonly [file: string, from: RegExp, to: string])[] = [
  ["package.json", /"version": "[^"]+"/, `"version": "${nextVersion}"`],
  [
    "src/database/migrations.ts",
    /\n {2}\],/g,
    `\n migration("${nextTag}", "CREATE TABLE latchkey_next (id text PRIMARY KEY NOT NULL)", Number(globalThis.next.minReader ?? 1)),\n],`,
  ],
  [
    "src/main.ts",
    /const environment = takeEnvironment/,
    `const fails = process.env["NEXT_FAILS"];
     Object.assign(globalThis, { next: { fails, minReader: process.env["NEXT_MIN_READER"] } });
     if (fails === "start" && ["serve", undefined].includes(process.argv[2])) process.exit(1);
     const environment = takeEnvironment`,
  ],
  [
    "src/service.ts",
    /const opened = await openMigrated\(deps\);/,
    `$& if (globalThis.next.fails === "after migration") throw new Error("broken after its migration");`,
  ],
  [
    "src/http/health.ts",
    /return database\.status === "ok"/,
    `return globalThis.next.fails !== "unhealthy" && database.status === "ok"`,
  ],
];

/** Builds a latchkey of version 0.2.0 with one more migration, once a test process. @returns its path. */
export const buildNext: () => Promise<string> = once(async () => {
  const folder = temporaryDirectory("next");
  for (const name of [
    "package.json",
    "bun.lock",
    "bunfig.toml",
    "tsconfig.json",
    "src",
    "drizzle",
    "release",
    "deploy",
  ])
    cpSync(join(project, name), join(folder, name), { recursive: true });
  symlinkSync(join(project, "node_modules"), join(folder, "node_modules"));
  for (const [file, from, to] of changes) {
    const path = join(folder, file);
    const text = readFileSync(path, "utf8");
    if (text.search(from) === -1) throw new Error(`${file} has no ${from}`);
    writeFileSync(path, text.replace(from, to));
  }
  const outfile = join(folder, "latchkey");
  const define = `LATCHKEY_RELEASE_PUBLIC_KEY=${JSON.stringify(releaseKey().publicKey)}`;
  const build = Bun.spawn([process.execPath, ...buildCommand(folder, outfile), "--define", define], {
    cwd: folder,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const stderr = await build.stderr.text();
  if ((await build.exited) !== 0) throw new Error(stderr);
  return outfile;
});

/** A second name of a file, or a copy where there can be none. */
function placeFile(file: string, path: string): void {
  try {
    linkSync(file, path);
  } catch {
    cpSync(file, path);
  }
}

/** A folder as somebody has it who downloaded an executable: with `SHA256SUMS` and its signature. @returns the executable. */
export async function downloadOf(
  executable: string,
  { version = nextVersion, key = releaseKey() }: { version?: string; key?: SecretKey } = {},
): Promise<string> {
  const folder = temporaryDirectory("download");
  const file = join(folder, `latchkey-${version}-${target}`);
  placeFile(executable, file);
  await signFolder(file, key);
  return file;
}

/** Writes anew what lists a file and what signs that. */
export async function signFolder(file: string, key: SecretKey): Promise<void> {
  const sha256 = new Bun.CryptoHasher("sha256").update(await Bun.file(file).bytes()).digest("hex");
  const sums = `${"0".repeat(64)}  latchkey-of-another\n${sha256}  ${basename(file)}\n`;
  const path = join(file, "..", "SHA256SUMS");
  writeFileSync(path, sums);
  writeFileSync(`${path}.minisig`, key.sign(Buffer.from(sums), "latchkey"));
}

/** Where an executable is put: a folder of its own. @returns its path. */
export function installed(executable: string): string {
  const folder = join(temporaryDirectory("installed"), "bin");
  if (!existsSync(folder)) mkdirSync(folder);
  const path = join(folder, "latchkey");
  placeFile(executable, path);
  return path;
}
