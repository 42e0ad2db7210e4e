import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { overwriteDurably } from "../../durable-file.ts";
import { retryAfterMaxMs } from "./schedule.ts";

/** What a start has to know of the tries before it: authorities count them, however often this process begins anew. */
export interface FailedTriesMemory {
  /** In a row. */
  readonly failures: number;
  /** Of the next try, in ms since the epoch. */
  readonly notBefore: number;
}

/**
 * Reads what was kept; null where there is nothing, or nothing that counts: a time further away than any pause is a wrong clock's.
 * @throws where the file cannot be read.
 */
export function readFailedTries(path: string, now: number): FailedTriesMemory | null {
  const text = textOf(path);
  if (text === null) return null;
  try {
    const { failures, notBefore } = (JSON.parse(text) ?? {}) as Partial<Record<string, unknown>>;
    if (!isCount(failures) || !isCount(notBefore) || notBefore > now + retryAfterMaxMs) return null;
    return { failures, notBefore };
  } catch {
    return null;
  }
}

/** For its owner alone; whole or not at all, whenever the machine stops. */
export async function keepFailedTries(path: string, { failures, notBefore }: FailedTriesMemory) {
  const text = `${JSON.stringify({ failures, notBefore })}\n`;
  await overwriteDurably(path, (temporary) => writeFileSync(temporary, text, { mode: 0o600, flag: "wx" }));
}

export function forgetFailedTries(path: string): void {
  rmSync(path, { force: true });
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return null;
    throw error;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
