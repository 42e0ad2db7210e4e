import { existsSync, lstatSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { CommandError } from "../errors.ts";
import { ask, type Surroundings } from "../upgrade/candidate.ts";
import { ownCommand } from "../workers/worker-process.ts";
import type { CommandContext } from "./command.ts";

/** How many snapshots stay in their folder. */
const snapshotsKept = 3;

/** By `latchkey backup`, in a process of its own. @returns its path; null where there is no database yet. */
export async function takeSnapshot(
  { cwd }: CommandContext,
  { snapshotDir }: { readonly snapshotDir?: string },
  server: Surroundings & { readonly config: Config },
): Promise<string | null> {
  const { database, dataDir } = server.config;
  if (database.driver === "sqlite" && !existsSync(database.path)) return null;
  const own = join(dataDir, "before-upgrade");
  if (snapshotDir === undefined) requireOwnFolder(own, dataDir);
  const folder = snapshotDir === undefined ? own : resolve(cwd, snapshotDir);
  const command = [...ownCommand(), "backup", folder, "--keep", String(snapshotsKept), "--json"];
  const { status, printed, stderr } = await ask(command, server);
  const { path, error } = (printed ?? {}) as {
    readonly path?: string;
    readonly error?: { readonly message: string; readonly remedy: string };
  };
  if (status === 0 && path !== undefined) return path;
  throw new CommandError(
    `no snapshot was made: ${error?.message ?? stderr.trim()}; nothing was changed`,
    `${error?.remedy ?? "latchkey doctor"}; or add --no-snapshot where you have a backup`,
  );
}

/** Root writes there, in a directory in which the service's user may put what he likes. @throws CommandError. */
function requireOwnFolder(folder: string, dataDir: string): void {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found === undefined) return;
  const owners = [0, process.geteuid?.(), statSync(dataDir).uid];
  if (found.isDirectory() && owners.includes(found.uid)) return;
  throw new CommandError(
    `${folder} is no folder, or is another user's than ${dataDir}; nothing was changed`,
    "see who has put it there, and move it away; or name another by --snapshot-dir",
  );
}
