import { pathToFileURL } from "node:url";
import type { BackupFigures } from "../backup-figures.ts";
import type { Config } from "../config/config.ts";
import { reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { ownCommand } from "../workers/worker-process.ts";
import { type MadeBackup, newestBackup, removeUnfinished } from "../backup-folder.ts";
import { backupDue } from "./backup-due.ts";
import type { CommandContext } from "./command.ts";

export interface ScheduledBackups {
  /** Ends one that is under way, too, and removes what it has left. */
  stop(): Promise<void>;
}

interface ScheduleDeps {
  readonly log: Log;
  /** What a process that is started from here sees. */
  readonly workerEnvironment: CommandContext["workerEnvironment"];
}

/** It looks at the folder as often at least: clocks are put right, and others make backups. */
const lookMs = 60 * 60_000;

interface Outcome {
  readonly path?: string;
  readonly removed?: readonly string[];
  readonly secret?: null;
  readonly skipped?: string;
  readonly error?: { readonly message: string; readonly remedy: string };
}

/**
 * Makes backups of the embedded database while a server runs, by `latchkey backup` in a process of its own, for which no
 * request waits. When the next is due, the newest in the folder says, whoever made it. Null where none are to be made.
 * @param figures are kept up to date.
 */
export function scheduleBackups(
  config: Config,
  deps: ScheduleDeps,
  figures: BackupFigures,
): ScheduledBackups | null {
  const { backups, database } = config;
  if (backups === null || database.driver !== "sqlite") return null;
  const { log } = deps;
  const { directory } = backups;
  const everyMs = backups.everySeconds * 1_000;
  const stopping = Promise.withResolvers<void>();
  let isStopping = false;
  /** As `performance.now()` has it, which nobody puts back. */
  let triedAt: number | null = null;
  let child: Bun.Subprocess<"ignore", "pipe", "pipe"> | undefined;

  const run = async (): Promise<Outcome> => {
    child = Bun.spawn(
      [
        ...ownCommand(),
        "backup",
        directory,
        "--json",
        "--keep",
        String(backups.keep),
        "--scheduled",
        String(backups.everySeconds),
      ],
      {
        argv0: "latchkey",
        env: {
          ...deps.workerEnvironment,
          DATABASE_URL: pathToFileURL(database.path).href,
          LATCHKEY_DATA_DIR: config.dataDir,
        },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    const [printed, said] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    if (child.signalCode !== null) removeUnfinished(directory, child.pid);
    const outcome = parseOutcome(printed);
    if (outcome?.error !== undefined || (outcome !== null && child.exitCode === 0)) return outcome;
    const how = child.signalCode ?? `exit status ${child.exitCode}`;
    const message = `latchkey backup failed (${how})${said === "" ? "" : `: ${said.trim()}`}`;
    return { error: { message, remedy: `latchkey backup --keep ${backups.keep} ${directory}` } };
  };
  /** @returns when the next one is due, in ms since the epoch. */
  const look = (): number => {
    const now = Date.now();
    const newest = findNewest(directory, now);
    figures.lastMadeAt = newest?.at ?? null;
    figures.lastBytes = newest?.bytes ?? null;
    return backupDue({
      now,
      everyMs,
      newestAt: newest?.at ?? null,
      sinceTryMs: triedAt === null ? null : performance.now() - triedAt,
      failuresInARow: figures.failuresInARow,
    });
  };
  const attempt = async (): Promise<void> => {
    const began = performance.now();
    let outcome: Outcome;
    try {
      outcome = await run();
    } catch (cause) {
      outcome = { error: { message: reasonOf(cause), remedy: "latchkey doctor" } };
    }
    if (isStopping) return;
    triedAt = performance.now();
    const { error, skipped, removed = [], secret: _, ...made } = outcome;
    if (error !== undefined) {
      figures.failures += 1;
      figures.failuresInARow += 1;
      const nextTry = new Date(look()).toISOString();
      log.error(
        {
          event: "backup_failed",
          directory,
          reason: error.message,
          remedy: error.remedy,
          failures: figures.failuresInARow,
          nextTry,
        },
        "no backup was made",
      );
      return;
    }
    figures.failuresInARow = 0;
    look();
    if (skipped !== undefined)
      log.debug({ directory, skipped }, "another latchkey makes the backup, or has made it");
    else {
      const durationMs = Math.round(performance.now() - began);
      log.info({ event: "backup_made", ...made, removed: removed.length, durationMs }, "a backup was made");
    }
  };
  const work = async (): Promise<void> => {
    log.info(
      { event: "backups_scheduled", directory, due: new Date(look()).toISOString() },
      "backups are made by themselves",
    );
    while (!isStopping) {
      const waitMs = Math.min(Math.max(0, look() - Date.now()), lookMs);
      if (waitMs === 0) await attempt();
      else await sleepUntil(waitMs, stopping.promise);
    }
  };
  const working = work();
  return {
    async stop() {
      isStopping = true;
      stopping.resolve();
      child?.kill("SIGKILL");
      await working;
    },
  };
}

/** A folder that cannot be read is the command's to complain of. */
function findNewest(directory: string, now: number): MadeBackup | null {
  try {
    return newestBackup(directory, now);
  } catch {
    return null;
  }
}

async function sleepUntil(waitMs: number, stopping: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const waited = new Promise<void>((resolve) => (timer = setTimeout(resolve, waitMs)));
  await Promise.race([waited, stopping]);
  clearTimeout(timer);
}

/** The last line that a command with `--json` printed; null where it is none. */
function parseOutcome(printed: string): Outcome | null {
  try {
    const outcome: unknown = JSON.parse(printed.trim().split("\n").at(-1) ?? "");
    return typeof outcome === "object" ? outcome : null;
  } catch {
    // It was ended before it printed one.
    return null;
  }
}
