import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { debianProgram } from "./debian.ts";
import { noDisks } from "./disk.ts";
import { type RunningLatchkey, spawnLatchkey } from "./executable.ts";
import { findPython, run } from "./python.ts";
import { temporaryDirectory } from "./reaper.ts";

/** The targets of a release that can be started on a Linux x64 machine, by an emulator or in a root of their own. */
export const startable = [
  "linux-x64",
  "linux-x64-baseline",
  "linux-x64-musl",
  "linux-arm64",
  "linux-arm64-musl",
] as const;

export type StartableTarget = (typeof startable)[number];

const cache = join(import.meta.dir, "../../node_modules/.cache/latchkey-musl");
/** An emulator translates 120 MB of code as it comes to it. */
const readyTimeoutMs = 120_000;

/** Starts a target's executable as it would be started on a machine of that kind. @throws with what is missing here. */
export async function startOn(target: StartableTarget, executable: string): Promise<RunningLatchkey> {
  if (target === "linux-x64") return await spawnLatchkey({ env: {}, executable });
  if (target === "linux-x64-musl") return await startInRoot(await muslRoot("x86_64"), executable);
  // A processor of 2008, without AVX, which the baseline build promises to do with.
  if (target === "linux-x64-baseline") return await emulate("x86_64", ["-cpu", "Nehalem"], executable);
  const root = target === "linux-arm64" ? await glibcRoot() : await muslRoot("aarch64");
  return await emulate("aarch64", ["-L", root], executable);
}

async function emulate(
  processor: "x86_64" | "aarch64",
  args: readonly string[],
  executable: string,
): Promise<RunningLatchkey> {
  const { root } = await debianProgram({
    suite: "bookworm",
    name: "qemu-user-static",
    program: `usr/bin/qemu-${processor}-static`,
  });
  return await spawnLatchkey({
    executable: join(root, `usr/bin/qemu-${processor}-static`),
    args: [...args, executable, "serve", "--json"],
    env: { LD_LIBRARY_PATH: processor === "aarch64" ? "/usr/lib" : "" },
    readyTimeoutMs,
  });
}

async function glibcRoot(): Promise<string> {
  const libc = { suite: "bookworm", name: "libc6", program: "lib", architecture: "arm64" } as const;
  return (await debianProgram(libc)).root;
}

/** In a root that has musl, two libraries and the executable, and nothing else, as an Alpine container would. */
async function startInRoot(root: string, executable: string): Promise<RunningLatchkey> {
  const noMounts = noDisks();
  if (noMounts !== undefined) throw new Error(noMounts);
  const folder = temporaryDirectory("root");
  cpSync(root, folder, { recursive: true, verbatimSymlinks: true });
  for (const name of ["proc", "tmp", "srv"]) mkdirSync(join(folder, name));
  linkSync(executable, join(folder, "latchkey"));
  const script = `PATH=/usr/sbin:/usr/bin:/sbin:/bin
    mount -t proc none "$0/proc" && exec chroot "$0" /latchkey serve --json`;
  return await spawnLatchkey({
    executable: "/usr/bin/unshare",
    args: ["--mount", "/bin/sh", "-c", script, folder],
    env: { LD_LIBRARY_PATH: "/usr/lib", LATCHKEY_DATA_DIR: "/srv/data" },
    readyTimeoutMs,
  });
}

/**
 * Debian's musl, and the libstdc++ and libgcc that a wheel for Alpine carries: Debian has none that is linked to musl.
 * https://pypi.org/project/greenlet/
 */
async function muslRoot(processor: "x86_64" | "aarch64"): Promise<string> {
  const root = join(cache, processor);
  if (existsSync(root)) return root;
  const architecture = processor === "x86_64" ? "amd64" : "arm64";
  const musl = await debianProgram({ suite: "trixie", name: "musl", program: "usr/lib", architecture });
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, "unpacking-"));
  const wheel = await fetchWheel(processor, fresh);
  const libraries = join(fresh, "wheel", "greenlet.libs");
  const { exitCode, output } = await run(["python3", "-m", "zipfile", "-e", wheel, join(fresh, "wheel")], {
    cwd: fresh,
    timeoutMs: 60_000,
  });
  if (exitCode !== 0) throw new Error(output);
  const own = join(fresh, "root");
  for (const name of ["lib", "usr/lib"]) mkdirSync(join(own, name), { recursive: true });
  const loader = [...new Bun.Glob("**/libc.so").scanSync({ cwd: musl.root, followSymlinks: false })][0] ?? "";
  cpSync(join(musl.root, loader), join(own, "lib", `ld-musl-${processor}.so.1`));
  for (const name of readdirSync(libraries)) {
    cpSync(join(libraries, name), join(own, "usr/lib", name));
    // A wheel's libraries have names of their own.
    if (name.startsWith("libstdc++")) cpSync(join(libraries, name), join(own, "usr/lib", "libstdc++.so.6"));
  }
  renameSync(own, root);
  rmSync(fresh, { recursive: true });
  return root;
}

const wheels = {
  x86_64: "06c0e933290fba8ffe53ead4ae1b8044b0e9754b75cebf381aa2bc3e50d82fac",
  aarch64: "df19e2d0b1620039af5102563fbd96e8938c7f5c3f5828528d641d9fc585525e",
} as const;

async function fetchWheel(processor: "x86_64" | "aarch64", folder: string): Promise<string> {
  const python = await findPython(["python3"]);
  const args = ["--no-deps", "--only-binary=:all:", "--python-version", "3.13", "greenlet==3.5.6"];
  const { exitCode, output } = await run(
    [python.path, "-m", "pip", "download", "--quiet", "--platform", `musllinux_1_2_${processor}`, ...args],
    { cwd: folder, timeoutMs: 120_000 },
  );
  const file = join(folder, `greenlet-3.5.6-cp313-cp313-musllinux_1_2_${processor}.whl`);
  if (exitCode !== 0 || !existsSync(file)) throw new Error(output);
  if (new Bun.CryptoHasher("sha256").update(readFileSync(file)).digest("hex") !== wheels[processor])
    throw new Error(`${file} is not what it was`);
  return file;
}
