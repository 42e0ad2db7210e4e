import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { basename, join } from "node:path";
import { collectOutput } from "./process-output.ts";
import { forgetProcess, temporaryDirectory, watchProcess } from "./reaper.ts";
import { within } from "./within.ts";

/** Where the bases are kept: outside the project, so that a clone does not make its own. */
const cache = "/var/tmp/latchkey-ship";
const mirror = "http://deb.debian.org/debian";
const suite = "bookworm";
/** Of every root: what a server of Debian's has in any case. */
const basePackages = ["ca-certificates", "dbus", "systemd", "systemd-sysv"];
/** Part of a base's key: to be raised when what follows makes another one of the same packages. */
const recipe = 1;
const bootTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;
const runTimeoutMs = 120_000;

interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunIn {
  /** Beside PATH, HOME and LANG, which are root's. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Default: 120 s; then it is killed. */
  readonly timeoutMs?: number;
}

/** A file system of Debian's own, as a folder; removed with this process at the latest. */
export interface ShipRoot {
  /** Absolute. */
  readonly path: string;
}

/** A root whose own systemd is running, in namespaces of its own: its network has a loopback alone, and every port free. */
export interface BootedRoot extends ShipRoot {
  /** The process id of its systemd, here: `nsenter --target` it. */
  readonly leader: number;
  /** What its systemd says of itself once it has started: `running`, or `degraded` with a unit that failed. */
  readonly state: string;
  /** Runs a program inside, as root. A status other than 0 is no error. */
  run(args: readonly string[], options?: RunIn): Promise<RunResult>;
  /** The arguments that start a program of this machine's on the network of the root, as a browser is: put them before its own. */
  readonly onItsNetwork: readonly string[];
  /** Asks a server on the network of the root. A redirect is an answer. */
  fetch(url: string, init?: AskInit): Promise<Answer>;
  /** Shuts it down, as a machine is. The folder stays. */
  stop(): Promise<void>;
}

/** What a request is made with. */
interface AskInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Answer {
  readonly status: number;
  /** By their names in small letters; of several `Set-Cookie` the pairs alone, as a `Cookie` header has them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** @returns why no root can be made and booted here; null where it can. */
export function whyNoRoot(): string | null {
  if (process.platform !== "linux") return `a Debian root is for Linux, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "a Debian root is made and booted by root alone";
  const needed = { debootstrap: "debootstrap", "systemd-nspawn": "systemd-container", nsenter: "util-linux" };
  const missing = Object.entries(needed).filter(([program]) => Bun.which(program) === null);
  if (missing.length === 0) return null;
  const names = missing.map(([program]) => program).join(" and ");
  return `${names} missing: apt-get install ${missing.map(([, name]) => name).join(" ")}`;
}

/**
 * A fresh Debian without Bun, Node or a compiler, with systemd; a base of the same packages is made once a machine.
 * @param packages of Debian's, beside those of every root. @throws with what debootstrap or apt-get said.
 */
export async function makeRoot({
  packages = [],
}: {
  readonly packages?: readonly string[];
} = {}): Promise<ShipRoot> {
  const reason = whyNoRoot();
  if (reason !== null) throw new Error(reason);
  const base = await makeBase(packages);
  const path = join(temporaryDirectory("ship"), "root");
  await must(["cp", "--archive", "--reflink=auto", base, path]);
  return { path };
}

/** Puts a file or a folder of this machine's into a root, booted or not; of one that is booted, /tmp and /run are elsewhere. @param mode of a file. */
export function copyIn(root: ShipRoot, from: string, to: string, mode?: number): void {
  const target = join(root.path, to);
  mkdirSync(join(target, ".."), { recursive: true });
  cpSync(from, target, { recursive: true });
  if (mode !== undefined) chmodSync(target, mode);
}

/** Runs a program in a root that is not booted. A status other than 0 is no error. */
export async function run(root: ShipRoot, args: readonly string[], options: RunIn = {}): Promise<RunResult> {
  return await start([...withKernel(root.path), "chroot", root.path, ...args], options);
}

/** Starts a root's systemd, and waits until it has started all that it starts. @throws with its console when it does not. */
export async function boot(root: ShipRoot): Promise<BootedRoot> {
  const name = `latchkey-ship-${process.pid}-${basename(join(root.path, ".."))}`;
  const child = Bun.spawn([...inOwnCgroup(name), ...nspawn(root, name)], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" },
  });
  watchProcess(child.pid, "KILL");
  const console = [collectOutput(child.stdout, {}), collectOutput(child.stderr, {})];
  const said = () => console.map(({ text }) => text()).join("\n");
  const stop = async () => {
    // To nspawn: have the machine halt.
    child.kill("SIGTERM");
    if ((await within(child.exited, stopTimeoutMs)) === undefined) child.kill("SIGKILL");
    await Promise.all([child.exited, ...console.map(({ ended }) => ended)]);
    forgetProcess(child.pid);
    await removeCgroup(name);
  };
  const started = async () => {
    for (;;) {
      if (child.exitCode !== null) return undefined;
      const leader = childOf(child.pid);
      if (leader !== undefined && nameOf(leader) === "systemd") {
        const inside = enter(leader);
        // Fails for as long as nobody listens to it.
        const { stdout } = await start([...inside, "systemctl", "is-system-running", "--wait"], {});
        const state = stdout.trim();
        if (["running", "degraded"].includes(state)) return { leader, state, inside };
      }
      await Bun.sleep(100);
    }
  };
  const booted = await within(started(), bootTimeoutMs);
  if (booted === undefined) {
    await stop();
    throw new Error(`the root did not boot within ${bootTimeoutMs} ms:\n${said()}`);
  }
  const { leader, state, inside } = booted;
  const onItsNetwork = ["nsenter", `--target=${leader}`, "--net", "--"];
  return {
    ...root,
    leader,
    state,
    run: async (args, options = {}) => await start([...inside, ...args], options),
    onItsNetwork,
    fetch: async (url, init = {}) => {
      const { exitCode, stdout, stderr } = await start([...onItsNetwork, process.execPath, "-e", asking], {
        env: { ASKED: JSON.stringify({ url, init }) },
      });
      if (exitCode !== 0) throw new Error(`${url}: ${stderr}`);
      return JSON.parse(stdout) as Answer;
    },
    stop,
  };
}

/** Run by this machine's Bun: the root has none, and no curl. */
const asking = `
const { url, init } = JSON.parse(process.env.ASKED);
const answer = await fetch(url, { ...init, redirect: "manual" });
const cookies = answer.headers.getSetCookie().map((cookie) => cookie.split(";")[0]).join("; ");
const headers = { ...Object.fromEntries(answer.headers), ...(cookies === "" ? {} : { "set-cookie": cookies }) };
console.log(JSON.stringify({ status: answer.status, headers, body: await answer.text() }));`;

/** Gives a root the kernel's own folders, for as long as the program that follows runs. */
const withKernel = (path: string) => [
  "unshare",
  "--mount",
  "sh",
  "-ec",
  `mount -t proc proc '${path}/proc'; mount --rbind /dev '${path}/dev'; exec "$@"`,
  "sh",
];

function nspawn({ path }: ShipRoot, name: string): readonly string[] {
  return [
    "systemd-nspawn",
    `--directory=${path}`,
    `--machine=${name}`,
    "--private-network",
    "--resolv-conf=off",
    "--timezone=off",
    "--link-journal=no",
    "--register=no",
    "--console=pipe",
    ...(hasSystemd() ? [] : ["--keep-unit"]),
    "--boot",
  ];
}

const hasSystemd = () => existsSync("/run/systemd/system");

/** The hierarchies in which a systemd keeps its processes; where one runs here, it makes a scope of its own. */
function hierarchies(): readonly string[] {
  if (hasSystemd()) return [];
  const hybrid = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"].filter((path) => existsSync(path));
  return hybrid.length > 0 ? hybrid : ["/sys/fs/cgroup"];
}

/** Two roots in one cgroup would end each other's services. */
function inOwnCgroup(name: string): readonly string[] {
  const lines = hierarchies().map(
    (path) => `mkdir -p ${path}/${name} && echo $$ > ${path}/${name}/cgroup.procs`,
  );
  return ["/bin/sh", "-ec", [...lines, 'exec "$@"'].join("\n"), "sh"];
}

async function removeCgroup(name: string): Promise<void> {
  for (const path of hierarchies())
    await start(["find", join(path, name), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"], {});
}

/** By the names of its namespaces. */
const enter = (leader: number) =>
  `nsenter --target=${leader} --mount --uts --ipc --net --pid --root --wd --`.split(" ");

function childOf(pid: number): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
    return first === undefined || first === "" ? undefined : Number(first);
  } catch {
    return undefined;
  }
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

/** @returns the folder of a base with these packages. Of two that make one at once, the first counts. */
async function makeBase(packages: readonly string[]): Promise<string> {
  const all = [...new Set(packages)].toSorted();
  const key = new Bun.CryptoHasher("sha256").update(JSON.stringify([recipe, suite, basePackages, all]));
  const base = join(cache, `${suite}-${key.digest("hex").slice(0, 12)}`);
  if (existsSync(base)) return base;
  mkdirSync(cache, { recursive: true, mode: 0o755 });
  const made = mkdtempSync(join(cache, "making-"));
  const fresh = join(made, "root");
  try {
    if (all.length === 0) await bootstrap(fresh);
    else await addPackages(await makeBase([]), fresh, all);
    if (!existsSync(base)) renameSync(fresh, base);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  return base;
}

const installTimeoutMs = 600_000;

async function bootstrap(folder: string): Promise<void> {
  const include = `--include=${basePackages.join(",")}`;
  await must(["debootstrap", "--variant=minbase", include, suite, folder, mirror], installTimeoutMs);
  // Each root is another machine.
  await must(["sh", "-c", `: > '${folder}/etc/machine-id'; rm -f '${folder}'/var/cache/apt/archives/*.deb`]);
}

async function addPackages(from: string, folder: string, packages: readonly string[]): Promise<void> {
  await must(["cp", "--archive", "--reflink=auto", from, folder]);
  await must(["cp", "/etc/resolv.conf", join(folder, "etc", "resolv.conf")]);
  const policy = join(folder, "usr", "sbin", "policy-rc.d");
  // Installing starts nothing.
  await Bun.write(policy, "#!/bin/sh\nexit 101\n");
  chmodSync(policy, 0o755);
  const install = `export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && apt-get install -qq --no-install-recommends ${packages.join(" ")} && apt-get clean`;
  await must([...withKernel(folder), "chroot", folder, "sh", "-ec", install], installTimeoutMs);
  rmSync(policy);
}

async function must(command: readonly string[], timeoutMs = runTimeoutMs): Promise<void> {
  const { exitCode, stdout, stderr } = await start(command, { timeoutMs });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${exitCode}\n${stdout.slice(-4_000)}${stderr}`);
}

async function start(command: readonly string[], options: RunIn): Promise<RunResult> {
  const child = Bun.spawn([...command], {
    stdin: options.stdin === undefined ? "ignore" : new TextEncoder().encode(options.stdin),
    stdout: "pipe",
    stderr: "pipe",
    env: {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: "/root",
      LANG: "C.UTF-8",
      ...options.env,
    },
  });
  watchProcess(child.pid, "KILL");
  const [stdout, stderr] = [collectOutput(child.stdout, {}), collectOutput(child.stderr, {})];
  const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? runTimeoutMs);
  const exitCode = await child.exited;
  clearTimeout(timer);
  forgetProcess(child.pid);
  // What it has left behind in the background may hold the streams.
  await within(Promise.all([stdout.ended, stderr.ended]), 1_000);
  return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
}
