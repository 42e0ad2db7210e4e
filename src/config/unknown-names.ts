import type { Environment } from "./config.ts";
import { editDistance } from "./parse.ts";
import type { ConfigReader } from "./reader.ts";
import { settingList } from "./settings.ts";

const knownNames: readonly string[] = settingList.flatMap(({ name, secret }) =>
  secret === true ? [name, `${name}_FILE`] : [name],
);

/** Refuses unknown `LATCHKEY_*` names, but for what Kubernetes injects for a Service called latchkey. */
export function refuseUnknownNames(reader: ConfigReader, env: Environment): void {
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith("LATCHKEY_") || value === undefined || value === "") continue;
    if (knownNames.includes(name)) continue;
    if (name === "LATCHKEY_PORT" && /^\s*\d+\s*$/.test(value)) {
      reader.warn("LATCHKEY_PORT is not read (Kubernetes sets that name): set PORT to choose the port");
    }
    if (name.startsWith("LATCHKEY_SERVICE_") || name.startsWith("LATCHKEY_PORT")) continue;
    reader.reject(name, "is not a setting", remedyFor(name));
  }
}

/** What Bun itself reads before any line of latchkey runs, and that can make other code run in its place. */
const runtimeNames = ["BUN_OPTIONS", "BUN_BE_BUN", "BUN_INSPECT", "BUN_INSPECT_PRELOAD", "NODE_OPTIONS"];

/** Warns of names that latchkey cannot keep Bun from reading. */
export function warnOfRuntimeNames(reader: ConfigReader, env: Environment): void {
  for (const name of runtimeNames) {
    if ((env[name] ?? "") === "") continue;
    reader.warn(`${name} is set: the runtime obeys it, and may run other code in this process; unset it`);
  }
}

function remedyFor(name: string): string {
  const bare = name.replace(/_FILE$/, "");
  if (knownNames.includes(bare)) return `write ${bare}, which is no secret and has no _FILE form`;
  const nearest = nearestName(name);
  return nearest === undefined
    ? "remove it; docs/contract.md lists the names"
    : `write ${nearest}, or remove it`;
}

function nearestName(name: string): string | undefined {
  const stem = stemOf(name);
  const ranked = knownNames
    .map((known) => ({ known, distance: editDistance(stem, stemOf(known)) }))
    .filter(({ known, distance }) => distance <= Math.max(2, stemOf(known).length / 3))
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.known;
}

/** Without its prefix, so that LATCHKEY_SECRET finds BETTER_AUTH_SECRET. */
function stemOf(name: string): string {
  return name.replace(/^(?:LATCHKEY|BETTER_AUTH)_/, "");
}
