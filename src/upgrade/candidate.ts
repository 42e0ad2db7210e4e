import { chmodSync, chownSync, closeSync, copyFileSync, openSync, readSync, statSync } from "node:fs";
import { CommandError, reasonOf } from "../errors.ts";

/** With what a server runs: all that an executable is to see when it is asked about that server. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
}

/** What an executable said. */
export interface Said {
  readonly status: number | null;
  /** The JSON of its last line on stdout; undefined where that is none. */
  readonly printed: unknown;
  readonly stderr: string;
}

/** What a database has and lacks by an executable's own word. */
export interface Schema {
  readonly pending: readonly string[];
  /** The lowest number of known migrations with which an executable can work on it afterwards; 0 where it does not say. */
  readonly minReader: number;
}

/** Long enough to load 120 MB from a slow disk, and for a database that is asked. */
const answerTimeoutMs = 60_000;

/** Runs an executable for one answer. @throws where the system cannot run it at all. */
export async function ask(
  command: readonly string[],
  { environment, cwd }: Surroundings,
  timeoutMs?: number,
): Promise<Said> {
  const child = Bun.spawn([...command], {
    env: { ...environment },
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs, killSignal: "SIGKILL" as const }),
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status: child.exitCode, printed: parseLine(stdout.trim().split("\n").at(-1) ?? ""), stderr };
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Copies a file beside the executable that it is to replace, with that one's mode and owner. @returns its SHA-256. */
export async function stage(file: string, staged: string, like: string): Promise<string> {
  try {
    copyFileSync(file, staged);
    const { mode, uid, gid } = statSync(like);
    chmodSync(staged, (mode & 0o777) | 0o500);
    if (process.geteuid?.() === 0) chownSync(staged, uid, gid);
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    const remedy =
      code === "EACCES" || code === "EPERM" ? "run it as root" : "see to the reason, and try again";
    throw new CommandError(
      `${file} cannot be copied beside ${like}: ${reasonOf(cause)}; nothing was changed`,
      remedy,
      { cause },
    );
  }
  return await sha256Of(staged);
}

/** In hexadecimal. */
export async function sha256Of(file: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const chunk of Bun.file(file).stream()) hasher.update(chunk);
  return hasher.digest("hex");
}

/**
 * Requires that an executable is for what `like` is for, and runs here. It is told by the header as well: where an emulator
 * is registered, another architecture's would run, slowly. @returns its version. @throws CommandError.
 */
export async function requireRunnable(
  staged: string,
  like: string,
  file: string,
  surroundings: Surroundings,
): Promise<string> {
  const wrong = (reason: string, remedy: string, cause?: unknown) =>
    new CommandError(`${file} ${reason}`, remedy, { cause, wrongInput: "unusable_executable" });
  const own = `${process.platform} ${process.arch}`;
  const other = `take the release's file for ${own}`;
  if (!kindOf(staged).equals(kindOf(like))) throw wrong(`is not for this machine (${own})`, other);
  let said: Said;
  try {
    said = await ask([staged, "version", "--json"], surroundings, answerTimeoutMs);
  } catch (cause) {
    throw wrong(`does not run on this machine (${own}): ${reasonOf(cause)}`, other, cause);
  }
  const { version } = (said.printed ?? {}) as { version?: unknown };
  if (said.status === 0 && typeof version === "string") return version;
  const words = said.stderr.trim().split("\n").slice(0, 3).join("\n");
  throw wrong(`is no latchkey, or does not start${words === "" ? "" : `: ${words}`}`, other);
}

/** What system and processor an executable is for: ELF's class, order and machine, Mach-O's magic and processor. */
function kindOf(file: string): Buffer {
  const header = Buffer.alloc(20);
  const descriptor = openSync(file, "r");
  try {
    readSync(descriptor, header, 0, header.length, 0);
  } finally {
    closeSync(descriptor);
  }
  const isElf = header.toString("latin1", 1, 4) === "ELF";
  return isElf ? Buffer.concat([header.subarray(0, 6), header.subarray(18)]) : header.subarray(0, 8);
}

/** Asks what an executable would do to a server's database. @throws CommandError where it cannot work on it at all. */
export async function readSchema(
  executable: string,
  name: string,
  surroundings: Surroundings,
): Promise<Schema> {
  const { printed, stderr } = await ask(
    [executable, "migrate", "--status", "--json"],
    surroundings,
    answerTimeoutMs,
  );
  const { pending, minReader, error, problems } = (printed ?? {}) as {
    readonly pending?: readonly string[];
    readonly minReader?: number;
    readonly error?: { readonly message: string; readonly remedy: string };
    readonly problems?: readonly {
      readonly variable: string;
      readonly reason: string;
      readonly remedy: string;
    }[];
  };
  if (pending !== undefined) return { pending, minReader: minReader ?? 0 };
  const [problem] = problems ?? [];
  if (problem !== undefined)
    throw new CommandError(
      `latchkey ${name} cannot use the configuration: ${problem.variable}: ${problem.reason}`,
      problem.remedy,
      { wrongInput: "unusable_configuration" },
    );
  throw new CommandError(
    `latchkey ${name} cannot work on the database: ${error?.message ?? stderr.trim()}`,
    error?.remedy ?? "latchkey doctor",
  );
}
