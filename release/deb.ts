import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { packagedPaths, packagedUnit, settingsText, sysusersText } from "../src/systemd/service-files.ts";
import type { Architecture } from "./glibc.ts";
import { sourceDate } from "./source-date.ts";

interface DebOptions {
  /** Of the package's content: `xz` is the smallest, and every Debian reads it; `gzip` is quick. */
  readonly compression?: "xz" | "gzip";
  /** In seconds since the epoch. */
  readonly date?: number;
}

const templates = join(import.meta.dir, "debian");
const project = join(import.meta.dir, "..");

/**
 * Writes `latchkey_VERSION_ARCHITECTURE.deb` by dpkg-deb; the same bytes for the same executable and date. The licences of what
 * is inside come along where the folder has them.
 * @returns its path. @throws with what dpkg-deb said, or that it is missing.
 */
export function writeDeb(
  executable: string,
  folder: string,
  version: string,
  architecture: Architecture,
  { compression = "xz", date = sourceDate() }: DebOptions = {},
): string {
  if (Bun.which("dpkg-deb") === null) throw new Error("dpkg-deb is missing, which packs Debian's packages");
  const root = mkdtempSync(join(tmpdir(), "latchkey-deb-"));
  try {
    chmodSync(root, 0o755);
    const put = (path: string, content: string | Uint8Array, mode = 0o644) => {
      makeFolder(root, dirname(path));
      writeFileSync(join(root, path), content);
      chmodSync(join(root, path), mode);
    };
    makeFolder(root, dirname(packagedPaths.executable));
    copyFileSync(executable, join(root, packagedPaths.executable));
    chmodSync(join(root, packagedPaths.executable), 0o755);
    put(packagedPaths.unit, packagedUnit);
    put("/usr/lib/sysusers.d/latchkey.conf", sysusersText);
    put("/etc/latchkey/latchkey.env", settingsText, 0o640);
    const documents = "/usr/share/doc/latchkey";
    put(`${documents}/changelog.gz`, Bun.gzipSync(changelog(version, date), { level: 9 }));
    put(
      `${documents}/copyright`,
      template("copyright", { LICENSE: indented(readFileSync(join(project, "LICENSE"), "utf8")) }),
    );
    put("/usr/share/man/man1/latchkey.1.gz", Bun.gzipSync(template("latchkey.1", {}), { level: 9 }));
    const licences = join(folder, `latchkey-${version}-licences.txt`);
    if (existsSync(licences))
      put(`${documents}/latchkey-licences.txt.gz`, Bun.gzipSync(readFileSync(licences), { level: 9 }));
    put("/usr/share/lintian/overrides/latchkey", template("lintian-overrides", {}));
    const files = filesOf(root);
    // Of what an operator changes, no sum is kept.
    const fixed = files.filter((path) => !path.startsWith("etc/"));
    const bytes = files.reduce((sum, path) => sum + statSync(join(root, path)).size, 0);
    put("/DEBIAN/md5sums", fixed.map((path) => `${md5Of(join(root, path))}  ${path}\n`).join(""));
    const fields = {
      VERSION: version,
      ARCHITECTURE: architecture,
      INSTALLED_SIZE: String(Math.ceil(bytes / 1_024)),
    };
    put("/DEBIAN/control", template("control", fields));
    put("/DEBIAN/conffiles", template("conffiles", {}));
    for (const script of ["postinst", "prerm", "postrm"])
      put(`/DEBIAN/${script}`, template(script, {}), 0o755);
    return pack(root, join(folder, `latchkey_${version}_${architecture}.deb`), compression, date);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function pack(root: string, path: string, compression: string, date: number): string {
  // One thread: of several, blocks are cut in another way.
  const how = ["--root-owner-group", "--threads-max=1", `-Z${compression}`];
  const { success, stderr } = Bun.spawnSync(["dpkg-deb", ...how, "--build", root, path], {
    env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C.UTF-8", SOURCE_DATE_EPOCH: String(date) },
  });
  if (!success) throw new Error(`dpkg-deb: ${stderr.toString()}`);
  return path;
}

function makeFolder(root: string, path: string): void {
  if (path === "/") return;
  makeFolder(root, dirname(path));
  mkdirSync(join(root, path), { recursive: true });
  chmodSync(join(root, path), 0o755);
}

function filesOf(root: string): readonly string[] {
  return [...new Bun.Glob("**/*").scanSync({ cwd: root, dot: true, onlyFiles: true })].toSorted();
}

function md5Of(path: string): string {
  return new Bun.CryptoHasher("md5").update(readFileSync(path)).digest("hex");
}

function template(name: string, values: Readonly<Record<string, string>>): string {
  const text = readFileSync(join(templates, name), "utf8");
  return text.replaceAll(/@([A-Z_]+)@/g, (_all, key: string) => {
    const value = values[key];
    if (value === undefined) throw new Error(`release/debian/${name} has no value of ${key}`);
    return value;
  });
}

/** As a field of several lines has them. */
function indented(text: string): string {
  return text
    .trim()
    .split("\n")
    .map((line) => (line === "" ? " ." : ` ${line}`))
    .join("\n");
}

function changelog(version: string, date: number): string {
  const at = new Date(date * 1_000).toUTCString().replace("GMT", "+0000");
  return `latchkey (${version}) unstable; urgency=medium\n\n  * What is new: CHANGELOG.md in latchkey's sources.\n\n -- latchkey contributors <noreply@latchkey.invalid>  ${at}\n`;
}
