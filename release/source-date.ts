import { join } from "node:path";

const project = join(import.meta.dir, "..");

/**
 * @returns when the sources are of, in seconds since the epoch, so that two builds have the same times in them:
 * SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/), else the commit's time, else 1980.
 */
export function sourceDate(): number {
  const given = process.env["SOURCE_DATE_EPOCH"] ?? "";
  if (/^\d{1,12}$/.test(given)) return Number(given);
  const log = Bun.spawnSync(["git", "log", "-1", "--format=%ct"], { cwd: project, stderr: "ignore" });
  const committed = log.success ? log.stdout.toString().trim() : "";
  return /^\d+$/.test(committed) ? Number(committed) : 315_532_800;
}
