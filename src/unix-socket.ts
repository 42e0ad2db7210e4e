import { chmodSync, chownSync, lstatSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { Front } from "./front.ts";
import type { SocketConfig } from "./config/config.ts";
import { CommandError } from "./errors.ts";
import { awaitLock } from "./file-lock.ts";
import { socketPeers } from "./http/request.ts";
import { type Listener, serverOptions, starting } from "./server.ts";

const lockWaitMs = 5_000;
/** What names the path, for those who are told that it cannot be had. */
const ownSetting = "LATCHKEY_LISTEN";

/**
 * Requires that nobody listens at any of these paths, which are in one directory, and keeps other latchkeys from looking until
 * they are let go.
 * @returns what lets go: to be called once this one listens there.
 * @throws CommandError when something else is there, or somebody answers. A socket that nobody answers on may stay.
 */
export async function claimSocketPaths(paths: readonly string[], setting = ownSetting): Promise<() => void> {
  const [first] = paths;
  if (first === undefined) return () => {};
  const release = await lockDirectory(dirname(first));
  try {
    for (const path of paths) await requireFree(path, setting);
    return release;
  } catch (error) {
    release();
    throw error;
  }
}

async function requireFree(path: string, setting: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket())
    throw new CommandError(
      `${path} is there, and is no socket`,
      `move it away, or set ${setting} to another path`,
    );
  await requireNobody(path, setting);
}

/** By a lock on the directory itself: nothing is left of it, however the process ends. */
async function lockDirectory(directory: string): Promise<() => void> {
  try {
    // Where nobody lets go, two starts at the same instant are not told apart.
    return await awaitLock(directory, lockWaitMs);
  } catch (cause) {
    throw new CommandError(
      `the directory ${directory} of the socket is not there, or may not be read`,
      `make it for this user; a systemd service has RuntimeDirectory= for that`,
      { cause },
    );
  }
}

async function requireNobody(path: string, setting: string): Promise<void> {
  try {
    const connected = await Bun.connect({ unix: path, socket: { data: () => {} } });
    connected.end();
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === "ECONNREFUSED" || code === "ENOENT") return;
    throw new CommandError(
      `${path} cannot be connected to (${String(code)})`,
      "stop what listens there, or remove it",
      {
        cause: error,
      },
    );
  }
  throw new CommandError(`${path} is in use`, `stop what listens there, or set ${setting} to another path`);
}

/**
 * Listens on a Unix socket in whose place there may be another one: it is made under another name, with its mode and group,
 * and only then gets its own, so that there is always one. Whoever is connected counts as a trusted proxy.
 * @throws CommandError.
 */
export function listenOnSocket(
  { path, mode, group }: SocketConfig,
  setting = ownSetting,
): Omit<Listener, "url" | "port"> {
  // Bun removes the name that it was given when it stops, whosever that is by then: it is given one that nobody else has,
  // and no dot, behind which a worker's number stands, as small as a process id in a container.
  const made = `${path}-${process.pid}`;
  rmSync(made, { force: true });
  // Bun's types know no idleTimeout of a socket; Bun does.
  const options: object = serverOptions();
  const umask = process.umask(0o177);
  let server: Bun.Server<undefined>;
  try {
    server = Bun.serve({ ...options, unix: made, fetch: starting });
  } catch (cause) {
    throw new CommandError(
      `cannot listen on ${path}`,
      `set ${setting} to a path in a directory that this user may write to`,
      { cause },
    );
  } finally {
    process.umask(umask);
  }
  /** Whoever has taken the place meanwhile keeps it. */
  const leave = () => {
    if (identityOf(path) === own) rmSync(path, { force: true });
  };
  let own = "";
  try {
    if (group !== null) giveToGroup(made, group);
    chmodSync(made, mode);
    own = identityOf(made);
    renameSync(made, path);
  } catch (error) {
    void server.stop(true);
    rmSync(made, { force: true });
    throw error;
  }
  return {
    serve({ fetch, routes }: Front) {
      server.reload({
        ...options,
        fetch: (request) => fetch(request, socketPeers),
        routes: Object.fromEntries(
          Object.entries(routes).map(([at, { GET, HEAD }]) => [
            at,
            {
              GET: (request: Request) => GET(request, socketPeers),
              HEAD: (request: Request) => HEAD(request, socketPeers),
            },
          ]),
        ),
      });
    },
    async drain() {
      leave();
      await server.stop(false);
    },
    async stop() {
      leave();
      await server.stop(true);
    },
  };
}

function identityOf(path: string): string {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found === undefined ? "" : `${found.dev}:${found.ino}`;
}

function giveToGroup(path: string, group: string): void {
  const id = /^\d+$/.test(group) ? Number(group) : groupId(group);
  try {
    chownSync(path, process.geteuid?.() ?? 0, id);
  } catch (cause) {
    throw new CommandError(
      `the socket cannot be given to the group ${group}`,
      `put this user into it (usermod -aG ${group} USER; in a unit SupplementaryGroups=${group})`,
      { cause },
    );
  }
}

/** group(5). */
function groupId(name: string): number {
  const entry = readFileSync("/etc/group", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .find(([found]) => found === name);
  if (entry?.[2] !== undefined) return Number(entry[2]);
  throw new CommandError(
    `there is no group ${name} in /etc/group`,
    "set LATCHKEY_LISTEN_GROUP to its number",
  );
}
