import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Environment } from "../config/config.ts";
import { CommandError } from "../errors.ts";

/** Where doctor looks instead of the shell that it was started in; at most one of them. */
export interface Place {
  /** A file of `NAME=value` lines. */
  readonly envFile?: string;
  /** A systemd service: its name, or its unit file's path. */
  readonly unit?: string;
  /** A running latchkey. */
  readonly pid?: number;
}

/** What a server somewhere else is, or would be, started with. */
export interface ForeignEnvironment {
  readonly environment: Environment;
  /** Absolute; relative paths of the configuration resolve against it. */
  readonly cwd: string;
  /** Fit to print. */
  readonly from: string;
}

/** Where systemd looks for units, the operator's own first; and below each, drop-ins. */
const unitDirectories = [
  "/etc/systemd/system",
  "/run/systemd/system",
  "/usr/local/lib/systemd/system",
  "/usr/lib/systemd/system",
  "/lib/systemd/system",
];

/**
 * Reads what a server somewhere else is started with; undefined where none was named.
 * @param cwd of this process. @throws CommandError when it cannot be read, or more than one was named.
 */
export function readForeignEnvironment(place: Place, cwd: string): ForeignEnvironment | undefined {
  const named = [place.envFile, place.unit, place.pid].filter((one) => one !== undefined);
  if (named.length > 1)
    throw new CommandError("--env-file, --unit and --pid exclude each other", "keep one of them");
  if (place.envFile !== undefined) {
    const path = resolve(cwd, place.envFile);
    return { environment: readEnvFile(path), cwd, from: path };
  }
  if (place.pid !== undefined) return ofProcess(place.pid);
  return place.unit === undefined ? undefined : ofUnit(place.unit, cwd);
}

function readEnvFile(path: string): Environment {
  try {
    return environmentIn(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new CommandError(`${path} cannot be read`, "run this as a user who may read it", {
      cause,
    });
  }
}

/**
 * `NAME=value` lines as systemd.exec(5) reads an `EnvironmentFile`, and as Docker does where nothing is quoted: `#` and `;`
 * begin a comment at the start of a line alone, quotes hold a value together, a backslash continues a line.
 */
export function environmentIn(text: string): Environment {
  const lines = text.replaceAll(/\\\r?\n/g, "").split(/\r?\n/);
  return Object.fromEntries(
    lines.flatMap((line) => {
      const [, name, written = ""] = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      if (name === undefined) return [];
      const [, single, double] = /^(?:'([^']*)'|"((?:[^"\\]|\\.)*)")$/.exec(written) ?? [];
      return [[name, single ?? (double ?? written).replaceAll(/\\(.)/g, "$1")]];
    }),
  );
}

/** The environment is the first process's alone: a worker stands for the one that started it. */
function firstProcess(pid: number): number {
  if (readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "latchkey\0worker\0") return pid;
  return Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? pid);
}

function ofProcess(named: number): ForeignEnvironment {
  let pid = named;
  try {
    pid = firstProcess(named);
    const text = readFileSync(`/proc/${pid}/environ`, "utf8");
    const pairs = text.split("\0").filter((pair) => pair.includes("="));
    const environment = Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
    );
    return { environment, cwd: readlinkSync(`/proc/${pid}/cwd`), from: `process ${pid}` };
  } catch (cause) {
    throw new CommandError(
      `process ${pid} cannot be looked at`,
      "give the pid of a running latchkey, as its user or as root, on Linux",
      { cause },
    );
  }
}

/** The executable that a systemd service starts; undefined where there is no such unit, or it names none. */
export function startedBy(unit: string): string | undefined {
  const path = unitPath(unit, "/");
  if (path === undefined) return undefined;
  const settings = [path, ...dropInsOf(path)].flatMap(unitSettings);
  const command = settings.findLast(({ key, value }) => key === "ExecStart" && value !== "")?.value;
  return command?.split(/\s+/)[0]?.replace(/^[-@:+!|]+/, "");
}

/** Where a unit's file is; undefined where there is none. */
export function unitPath(unit: string, cwd: string): string | undefined {
  const name = unit.includes(".") ? unit : `${unit}.service`;
  const path = unit.includes("/")
    ? resolve(cwd, unit)
    : unitDirectories.map((directory) => join(directory, name)).find((candidate) => existsSync(candidate));
  return path !== undefined && existsSync(path) ? path : undefined;
}

/** Reads a unit's file and its drop-ins, as systemd does, as far as they concern the environment. */
function ofUnit(unit: string, cwd: string): ForeignEnvironment {
  const path = unitPath(unit, cwd);
  if (path === undefined)
    throw new CommandError(
      `there is no unit ${unit}`,
      "systemctl list-units --type=service, or give the unit file's path",
    );
  const settings = [path, ...dropInsOf(path)].flatMap(unitSettings);
  const last = (key: string) => settings.findLast((setting) => setting.key === key)?.value;
  const environment: Record<string, string> = {};
  const stateDirectory = last("StateDirectory")?.split(/\s+/)[0];
  if (stateDirectory) environment["STATE_DIRECTORY"] = join("/var/lib", stateDirectory);
  for (const { key, value } of settings) {
    if (key === "Environment")
      Object.assign(environment, assignments(value, `/run/credentials/${basename(path)}`));
    if (key !== "EnvironmentFile") continue;
    const file = value.replace(/^-/, "");
    if (value.startsWith("-") && !existsSync(file)) continue;
    Object.assign(environment, readEnvFile(file));
  }
  return { environment, cwd: last("WorkingDirectory")?.replace(/^-/, "") ?? "/", from: path };
}

function dropInsOf(path: string): readonly string[] {
  const directories =
    path.startsWith("/etc/") || unitDirectories.some((known) => path.startsWith(known))
      ? unitDirectories.map((directory) => join(directory, `${basename(path)}.d`))
      : [`${path}.d`];
  return directories
    .filter((directory) => existsSync(directory))
    .flatMap((directory) =>
      [...new Bun.Glob("*.conf").scanSync(directory)].sort().map((file) => join(directory, file)),
    );
}

/** The `Key=value` lines of `[Service]`; a line that ends in a backslash goes on in the next. */
function unitSettings(path: string): readonly { readonly key: string; readonly value: string }[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new CommandError(`${path} cannot be read`, "run this as root", { cause });
  }
  let section = "";
  return text
    .replaceAll(/\\\r?\n/g, " ")
    .split(/\r?\n/)
    .flatMap((line) => {
      const header = /^\s*\[(.+)\]\s*$/.exec(line)?.[1];
      if (header !== undefined) section = header;
      const [, key, value] = /^\s*([A-Za-z]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      return section === "Service" && key !== undefined && value !== undefined ? [{ key, value }] : [];
    });
}

/** `A=b "C=d e"`, as systemd.exec(5) has it. @param credentials the directory that `%d` stands for, while the unit runs. */
function assignments(value: string, credentials: string): Record<string, string> {
  const words = value.match(/"(?:[^"\\]|\\.)*"|'[^']*'|\S+/g) ?? [];
  return Object.fromEntries(
    words
      .map((word) => (/^["']/.test(word) ? word.slice(1, -1).replaceAll(/\\(.)/g, "$1") : word))
      .filter((word) => word.includes("="))
      .map((word) => [
        word.slice(0, word.indexOf("=")),
        word
          .slice(word.indexOf("=") + 1)
          .replaceAll(/%[%d]/g, (specifier) => (specifier === "%d" ? credentials : "%")),
      ]),
  );
}
