import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { CommandError } from "../errors.ts";

/** Whose a file is: root's, or root's and readable by the service's group, or the service's own. */
type Owner = "root:root" | "root:latchkey" | "latchkey:latchkey";

/** Something that an installation does; paths are those of the system that is installed into. */
export type Step =
  /** @property shown what may be printed of the text; all of it, where this is missing. */
  | {
      readonly action: "write";
      readonly path: string;
      readonly mode: number;
      readonly owner: Owner;
      readonly text: string;
      readonly shown?: string;
    }
  /** @property from a file of the system that runs. */
  | { readonly action: "copy"; readonly path: string; readonly mode: number; readonly from: string }
  /** Made where it is missing; one that is there stays as it is. */
  | { readonly action: "directory"; readonly path: string; readonly mode: number; readonly owner: Owner }
  | { readonly action: "link"; readonly path: string; readonly to: string }
  | { readonly action: "remove"; readonly path: string }
  /** @property onlyIf it is run where a file has changed. */
  | { readonly action: "run"; readonly command: readonly string[]; readonly onlyIf?: "changed" };

/** A step, and whether it changed anything. */
export type DoneStep = Step & { readonly changed: boolean };

/** Does the steps below a root, each whole or not at all, and each only where it is not done yet. @throws CommandError. */
export function perform(steps: readonly Step[], root: string): readonly DoneStep[] {
  const done: DoneStep[] = [];
  for (const step of steps) {
    const isWanted =
      step.action !== "run" ||
      step.onlyIf === undefined ||
      done.some(({ action, changed }) => changed && action !== "run");
    done.push({ ...step, changed: isWanted && performOne(step, root) });
  }
  return done;
}

function performOne(step: Step, root: string): boolean {
  if (step.action === "run") return runCommand(step.command);
  const path = join(root, step.path);
  switch (step.action) {
    case "write": {
      const isSame = existsSync(path) && readFileSync(path, "utf8") === step.text;
      if (!isSame) replaceFile(path, (fresh) => writeFileSync(fresh, step.text, { mode: 0o600 }), step.mode);
      return own(path, step.mode, step.owner, root) || !isSame;
    }
    case "copy": {
      const isSame = isSameFile(step.from, path);
      if (!isSame) replaceFile(path, (fresh) => copyFileSync(step.from, fresh), step.mode);
      return own(path, step.mode, "root:root", root) || !isSame;
    }
    case "directory": {
      if (existsSync(path)) return false;
      mkdirSync(dirname(path), { recursive: true });
      mkdirSync(path, { mode: step.mode });
      return own(path, step.mode, step.owner, root);
    }
    case "link": {
      if (isLink(path) && readlinkSync(path) === step.to) return false;
      mkdirSync(dirname(path), { recursive: true });
      rmSync(path, { force: true });
      symlinkSync(step.to, path);
      return true;
    }
    default: {
      const isThere = existsSync(path) || isLink(path);
      rmSync(path, { recursive: true, force: true });
      return isThere;
    }
  }
}

/** Renamed into place: a program that runs cannot be written to, and what stops halfway leaves the old one. */
function replaceFile(path: string, write: (fresh: string) => void, mode: number): void {
  mkdirSync(dirname(path), { recursive: true });
  const fresh = join(dirname(path), `.${basename(path)}.${process.pid}`);
  try {
    write(fresh);
    chmodSync(fresh, mode);
    const descriptor = openSync(fresh, "r");
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(fresh, path);
  } catch (cause) {
    if (existsSync(fresh)) unlinkSync(fresh);
    throw new CommandError(`${path} cannot be written`, "run it as root, with room on that disk", { cause });
  }
}

/** @returns whether mode or owner were others. */
function own(path: string, mode: number, owner: Owner, root: string): boolean {
  const [user = "root", group = "root"] = owner.split(":");
  const [uid, gid] = [idOf(root, "passwd", user), idOf(root, "group", group)];
  const before = statSync(path);
  if (before.uid === uid && before.gid === gid && (before.mode & 0o7777) === mode) return false;
  chownSync(path, uid, gid);
  chmodSync(path, mode);
  return true;
}

/** Of the system that is installed into, whose numbers may be others than those here. */
function idOf(root: string, table: "passwd" | "group", name: string): number {
  if (name === "root") return 0;
  const id = findId(root, table, name);
  if (id !== undefined) return id;
  throw new CommandError(
    `there is no ${table === "passwd" ? "user" : "group"} ${name} in ${join(root, "etc", table)}`,
    `useradd --system --user-group --no-create-home ${name}, and run it again`,
  );
}

/** The number of a user or a group, by the table of a system; undefined where it has none. */
export function findId(root: string, table: "passwd" | "group", name: string): number | undefined {
  const path = join(root, "etc", table);
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  const line = text.split("\n").find((one) => one.startsWith(`${name}:`));
  const id = line?.split(":")[2];
  return id === undefined ? undefined : Number(id);
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function isSameFile(one: string, other: string): boolean {
  const [first, second] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));
  if (first === undefined || first.size !== second?.size) return false;
  return (first.ino === second.ino && first.dev === second.dev) || hashOf(one) === hashOf(other);
}

function hashOf(path: string): string {
  return new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
}

/** Looks where systems have them: who became root by `su` has another user's PATH. */
export function findProgram(name: string): string | null {
  return Bun.which(name, { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" });
}

function runCommand(command: readonly string[]): boolean {
  const [name = "", ...args] = command;
  const program = findProgram(name);
  if (program === null)
    throw new CommandError(`there is no ${name} here`, `${command.join(" ")}, by what this system has`);
  const { success, exitCode, stdout, stderr } = Bun.spawnSync([program, ...args], { stdin: "ignore" });
  if (success) return true;
  const said = `${stdout.toString()}${stderr.toString()}`.trim();
  throw new CommandError(
    `${command.join(" ")} failed (${exitCode})${said === "" ? "" : `: ${said}`}`,
    name === "systemctl" ? "journalctl --unit latchkey --lines 20" : "run that by hand",
  );
}
