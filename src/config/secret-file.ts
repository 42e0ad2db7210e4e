import { statSync } from "node:fs";
import { dirname } from "node:path";

/** What is wrong with a file that holds a secret, and what to do about it. */
export interface SecretFileRisk {
  /** `refused`: somebody else may have written what it holds, or reads it now. */
  readonly severity: "refused" | "warning";
  /** Without the path. */
  readonly reason: string;
  readonly remedy: string;
}

/**
 * Looks at who may write and read a secret's file; null where that is nobody else.
 * @param madeByUs latchkey makes its file for its owner alone; those of others may be a platform's, mounted readable.
 * @throws when there is no such file.
 */
export function secretFileRisk(
  path: string,
  { madeByUs }: { readonly madeByUs: boolean },
): SecretFileRisk | null {
  const { uid, mode } = statSync(path);
  const own = process.geteuid?.();
  // Windows keeps neither.
  if (own === undefined) return null;
  // Root looks after a server that runs as another user, whose data, and whose credentials of systemd's making, are that user's.
  const isServers = own === 0 && (madeByUs || path.startsWith("/run/credentials/"));
  const owners = [own, 0, ...(isServers ? [statSync(dirname(path)).uid] : [])];
  const octal = (mode & 0o777).toString(8).padStart(4, "0");
  const refused = (reason: string, remedy: string): SecretFileRisk => ({
    severity: "refused",
    reason,
    remedy,
  });
  if (!owners.includes(uid))
    return refused(`belongs to another user (${uid}), who could replace it`, `chown it to ${own}`);
  if ((mode & 0o022) !== 0) return refused(`may be written to by others (mode ${octal})`, "chmod it to 600");
  if ((mode & 0o004) === 0) return null;
  const reason = `may be read by everybody (mode ${octal})`;
  const remedy = "chmod it to 600 (mode: 0400 where a platform mounts it)";
  return { severity: madeByUs ? "refused" : "warning", reason, remedy };
}
