import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asServerUser, type Cluster } from "./postgres-cluster.ts";
import { forgetProcess, watchProcess } from "./reaper.ts";
import { within } from "./within.ts";

const startTimeoutMs = 30_000;
const stopTimeoutMs = 30_000;

/** `fast` rolls open transactions back and says so to the clients; `immediate` is a crash, recovered from at the next start. */
export type ShutdownMode = "fast" | "immediate";

/** A running server process. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly stop: (mode: ShutdownMode) => Promise<void>;
  /** SIGKILL: `machine` of the postmaster and all of its processes at once, `postmaster` of that alone. */
  readonly kill: (what: "machine" | "postmaster") => Promise<void>;
  /** Makes a primary of a standby, as `pg_ctl promote` does; resolves once that is asked for. */
  readonly promote: () => void;
}

/** In place of the tests' own, by name; what `postgres -c` takes. */
export type PostgresSettings = Readonly<Record<string, string>>;

/** Resolves once the server takes connections, or is a standby that takes none; throws with its log when it ends before that. */
export async function startPostmaster(
  cluster: Cluster,
  port: number,
  given: PostgresSettings = {},
): Promise<Postmaster> {
  const logFile = join(cluster.directory, "server.log");
  // A file, not a pipe: a test that blocks this process must not block the server's logging.
  const log = openSync(logFile, "w");
  const child = Bun.spawn(
    [cluster.binaries.postgres, "-D", cluster.dataDirectory, ...settings(port, given)],
    { ...asServerUser(cluster.directory), stdout: log, stderr: log },
  );
  closeSync(log);
  child.unref();
  watchProcess(child.pid, "QUIT");
  const deadline = Date.now() + startTimeoutMs;
  while (!isReady(cluster.dataDirectory, child.pid)) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill("SIGKILL");
      await child.exited;
      forgetProcess(child.pid);
      throw new Error(`PostgreSQL did not start:\n${readFileSync(logFile, "utf8")}`);
    }
    await Bun.sleep(5);
  }
  return {
    pid: child.pid,
    port,
    async stop(mode) {
      child.kill(mode === "fast" ? "SIGINT" : "SIGQUIT");
      const stopped = await within(child.exited, stopTimeoutMs);
      if (stopped === undefined)
        throw new Error(`PostgreSQL ${child.pid} was still there after ${stopTimeoutMs} ms`);
      forgetProcess(child.pid);
    },
    async kill(what) {
      // Each process of the server has a session of its own: no group has them all.
      const pids = what === "machine" ? [child.pid, ...childrenOf(child.pid)] : [child.pid];
      for (const pid of pids) killHard(pid);
      await child.exited;
      forgetProcess(child.pid);
    },
    promote() {
      writeFileSync(join(cluster.dataDirectory, "promote"), "");
      child.kill("SIGUSR1");
    },
  };
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
}

function killHard(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

function settings(port: number, given: PostgresSettings): string[] {
  return Object.entries({
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "200",
    // What is committed survives a crash of the server, not one of the machine.
    fsync: "off",
    full_page_writes: "off",
    shared_buffers: "16MB",
    max_wal_size: "256MB",
    autovacuum_naptime: "1h",
    // Not UTC on purpose: code that relies on the server's zone shows.
    timezone: "Asia/Kolkata",
    log_timezone: "UTC",
    ...given,
  }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** postmaster.pid: the process id in line 1, `ready` or `standby` in line 8 once it is what it is to be (what pg_ctl reads). */
function isReady(dataDirectory: string, pid: number): boolean {
  try {
    const lines = readFileSync(join(dataDirectory, "postmaster.pid"), "utf8").split("\n");
    return lines[0] === String(pid) && /^(?:ready|standby) *$/.test(lines[7] ?? "");
  } catch {
    return false;
  }
}
