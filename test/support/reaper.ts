import { chmodSync, mkdtempSync, realpathSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/**
 * Ends what this process started and removes what it wrote, whichever way this process ends (kill -9 included).
 *
 * `bun test` emits no `exit` event, and nothing in a process survives its own SIGKILL: so a small `sh` in a session of
 * its own reads a pipe that only this process holds, and cleans up once that pipe closes.
 */
interface Reaper {
  /** Mode 0755, removed once this process has ended. */
  readonly directory: string;
  watch(pid: number, signal: ReaperSignal): void;
  forget(pid: number): void;
}

/** What the process gets first; SIGKILL follows after 5 s. */
export type ReaperSignal = "TERM" | "QUIT" | "KILL";

// The list is " SIGNAL/pid SIGNAL/pid ". A zombie still answers `kill -0`, and a container may have nobody who reaps it.
const script = `
PATH=/usr/bin:/bin
list=" "
alive() {
  kill -0 "$1" || return 1
  [ -r "/proc/$1/stat" ] || return 0
  read -r status < "/proc/$1/stat" || return 1
  case $status in *") Z "*) return 1 ;; esac
}
while read -r action entry; do
  case $action in
    watch) list="$list$entry " ;;
    forget) case $list in *" $entry "*) list="\${list%% $entry *} \${list#* $entry }" ;; esac ;;
  esac
done
for entry in $list; do kill -s "\${entry%%/*}" -- "\${entry#*/}"; done
turns=0
while [ $turns -lt 100 ]; do
  left=""
  for entry in $list; do alive "\${entry#*/}" && left="$left \${entry#*/}"; done
  [ -z "$left" ] && break
  sleep 0.05
  turns=$((turns + 1))
done
for pid in $left; do kill -s KILL -- "$pid"; done
for _ in 1 2 3 4 5; do rm -rf "$1" && break; sleep 0.2; done
`;

function startReaper(): Reaper {
  const directory = mkdtempSync(join(worldReachableTemporaryDirectory(), "latchkey-test-"));
  chmodSync(directory, 0o755);
  const child = Bun.spawn(["/bin/sh", "-c", script, "reaper", directory], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
    cwd: "/",
    env: {},
    detached: true,
  });
  child.unref();
  const entries = new Map<number, string>();
  const send = (action: string, entry: string) => {
    void child.stdin.write(`${action} ${entry}\n`);
    void child.stdin.flush();
  };
  return {
    directory,
    watch(pid, signal) {
      const entry = `${signal}/${pid}`;
      entries.set(pid, entry);
      send("watch", entry);
    },
    forget(pid) {
      const entry = entries.get(pid);
      if (entry !== undefined && entries.delete(pid)) send("forget", entry);
    },
  };
}

/** A temporary directory other users can walk into: PostgreSQL gives up root before it opens anything. */
function worldReachableTemporaryDirectory(): string {
  const candidates = [tmpdir(), "/tmp", "/var/tmp"];
  return candidates.find((path) => isWorldReachable(path)) ?? tmpdir();
}

/** Whether every directory on the way to `path`, itself included, lets any user pass. */
export function isWorldReachable(path: string): boolean {
  try {
    const real = realpathSync(path);
    const passable = (statSync(real).mode & 0o001) !== 0;
    return passable && (real === "/" || isWorldReachable(dirname(real)));
  } catch {
    return false;
  }
}

/** Remembers the first call's result; a test process has one reaper, one shared server, one build. */
export function once<T>(create: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: create() };
    return made.value;
  };
}

const reaper = once(startReaper);

/**
 * Ends process `pid`, of a negative number the process group, with `signal` once this process has ended; call
 * `forgetProcess` as soon as it is gone.
 */
export function watchProcess(pid: number, signal: ReaperSignal): void {
  reaper().watch(pid, signal);
}

/** Undoes `watchProcess`: the number may soon belong to somebody else. */
export function forgetProcess(pid: number): void {
  reaper().forget(pid);
}

/** A fresh directory, mode 0755, absolute, removed once this process has ended. */
export function temporaryDirectory(name: string): string {
  const directory = mkdtempSync(join(reaper().directory, `${name}-`));
  chmodSync(directory, 0o755);
  return directory;
}
