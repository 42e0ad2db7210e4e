import { openFilterFile } from "../auth/breached/filter-file.ts";
import { createRangeApi } from "../auth/breached/range-api.ts";
import type { Config } from "../config/config.ts";
import { CommandError, reasonOf } from "../errors.ts";
import { type Check, failed, passed, warned } from "./check.ts";

const name = "breached passwords";
/** Of SHA-1 of `password`: nobody's. */
const somePrefix = "5BAA6";

/** Asks where new passwords are looked up, or reads all of the file; nothing where they are not. */
export async function breachedChecks({ passwordBreached: from }: Config): Promise<readonly Check[]> {
  if (from === null) return [];
  return [from.by === "api" ? await apiCheck(from.url) : await checkFile(from.path)];
}

async function apiCheck(url: string): Promise<Check> {
  const started = performance.now();
  try {
    const hashes = await createRangeApi({ url, version: "doctor" }).count(somePrefix);
    const tookMs = Math.round(performance.now() - started);
    return passed(name, `${url} answered within ${tookMs} ms, with a range of ${hashes} hashes`);
  } catch (error) {
    return warned(
      name,
      `${url} does not answer as it should: ${reasonOf(error)}; while that is so, every new password is taken`,
      "let this machine reach it, or look them up in a file: latchkey passwords build --help",
    );
  }
}

async function checkFile(path: string): Promise<Check> {
  try {
    const file = openFilterFile(path, "whole");
    await file.close();
    const seen = file.minCount === 1 ? "" : `, seen ${file.minCount} times or more`;
    return passed(name, `${path} has ${file.hashes} hashes${seen}; all of its ${file.bytes} bytes are sound`);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return failed(name, error.message, error.remedy);
  }
}
