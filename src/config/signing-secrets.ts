import type { Config } from "./config.ts";
import type { ConfigReader, Entry } from "./reader.ts";
import { weaknessOf } from "./secret-strength.ts";

const MASK = "********";
const GENERATE = "generate one: latchkey secret";
/** Another secret alone would sign everybody out. */
const REPLACE =
  "put a new one of latchkey secret before it, so that nobody is signed out: BETTER_AUTH_SECRETS=2:NEW,1:OLD without BETTER_AUTH_SECRET; if nobody has signed in yet, just take the new one";

/**
 * Reads the signing keys, the current one first.
 * @param isRequired a server database has no place for a generated key.
 * @returns empty when none is set.
 */
export function readSecrets(
  reader: ConfigReader,
  isRequired: boolean,
  hasAuthSecret: boolean,
): Pick<Config, "secrets" | "secretsVersion"> {
  const single = reader.secretEntry("BETTER_AUTH_SECRET");
  const ring = reader.secretEntry("BETTER_AUTH_SECRETS");
  if (single !== undefined) refuseWeak(reader, single);
  const { keys, newest } = ring === undefined ? { keys: [], newest: 0 } : readKeyRing(reader, ring);
  const [current] = keys;
  if (single !== undefined && ring !== undefined && current !== undefined && single.text !== current) {
    const remedy = `remove ${single.variable}, or make it equal the first key of ${ring.variable}`;
    reader.reject(single.variable, `differs from the first key of ${ring.variable}`, remedy);
  }
  const isUnset = single === undefined && ring === undefined;
  const isRejected = reader.isRejected("BETTER_AUTH_SECRET") || reader.isRejected("BETTER_AUTH_SECRETS");
  if (isUnset && !isRejected && isRequired) {
    const hint = hasAuthSecret ? " (AUTH_SECRET is not read)" : "";
    reader.reject("BETTER_AUTH_SECRET", `is required with a server database${hint}`, GENERATE);
  }
  const whenUnset = ring === undefined && !isRequired ? "(kept in the data directory)" : "";
  reader.record("BETTER_AUTH_SECRET", single === undefined ? whenUnset : MASK, single);
  reader.record("BETTER_AUTH_SECRETS", ring === undefined ? "" : keys.map(() => MASK).join(","), ring);
  return single !== undefined && ring === undefined
    ? { secrets: [single.text], secretsVersion: 1 }
    : { secrets: keys, secretsVersion: newest };
}

/** Parses `2:new,1:old`; problems and warnings count entries, since any part may be the secret. */
function readKeyRing(
  reader: ConfigReader,
  ring: Entry,
): { readonly keys: readonly string[]; readonly newest: number } {
  const versions = new Set<number>();
  const keys = ring.text.split(",").flatMap((text, index) => {
    const [, digits, key] = /^\s*(\d{1,9})\s*:\s*(\S.*?)\s*$/.exec(text) ?? [];
    const which = `entry ${index + 1}`;
    if (digits === undefined || key === undefined) {
      const remedy =
        "write 2:NEW,1:OLD, whole-number versions and keys without commas, the signing key first";
      reader.reject(ring.variable, `${which} is not VERSION:SECRET`, remedy);
      return [];
    }
    if (versions.has(Number(digits))) {
      reader.reject(
        ring.variable,
        `${which} repeats an earlier version`,
        "give every key a version of its own",
      );
    }
    versions.add(Number(digits));
    const weakness = weaknessOf(key);
    if (weakness !== null && index === 0) reader.reject(ring.variable, `${which} ${weakness}`, GENERATE);
    else if (weakness !== null)
      reader.warn(`${ring.variable}: ${which}, an old key, ${weakness}: retire it soon`);
    return key;
  });
  return { keys, newest: Math.max(0, ...versions) };
}

function refuseWeak(reader: ConfigReader, entry: Entry): void {
  const weakness = weaknessOf(entry.text);
  if (weakness !== null) reader.reject(entry.variable, weakness, REPLACE);
}
