import type { ConfigReader } from "./reader.ts";
import type { Environment } from "./config.ts";

/** Secret-bearing names, each with a `_FILE` variant. */
export const SECRET_NAMES = ["DATABASE_URL", "BETTER_AUTH_SECRET", "BETTER_AUTH_SECRETS"] as const;

/** Every other name that is read. */
export const PLAIN_NAMES = [
  "PORT",
  "HOST",
  "LATCHKEY_DATABASE_DRIVER",
  "LATCHKEY_NEON_PROXY",
  "LATCHKEY_DATA_DIR",
  "BETTER_AUTH_URL",
  "BETTER_AUTH_TRUSTED_ORIGINS",
  "CORS_ALLOWED_ORIGINS",
  "LATCHKEY_DEFAULT_REDIRECT_URL",
  "LATCHKEY_COOKIE_DOMAIN",
  "LATCHKEY_COOKIE_SAMESITE",
  "LATCHKEY_TRUSTED_PROXIES",
  "LATCHKEY_SIGN_UP",
  "LATCHKEY_PASSWORD_MIN_LENGTH",
  "LATCHKEY_SESSION_EXPIRES_IN",
  "LATCHKEY_SESSION_UPDATE_AGE",
  "LATCHKEY_SESSION_MAX_AGE",
  "LATCHKEY_BEARER",
  "LOG_LEVEL",
  "LATCHKEY_LOG_FORMAT",
  "LATCHKEY_HASH_CONCURRENCY",
  "LATCHKEY_HASH_QUEUE",
  "LATCHKEY_BRAND_NAME",
  "LATCHKEY_BRAND_LOGO_URL",
  "LATCHKEY_BRAND_ACCENT",
] as const;

const KNOWN_NAMES: readonly string[] = [
  ...SECRET_NAMES,
  ...SECRET_NAMES.map((name) => `${name}_FILE`),
  ...PLAIN_NAMES,
];

/** Refuses unknown `LATCHKEY_*` names, but for what Kubernetes injects for a Service called latchkey. */
export function refuseUnknownNames(reader: ConfigReader, env: Environment): void {
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith("LATCHKEY_") || value === undefined || value === "") continue;
    if (KNOWN_NAMES.includes(name)) continue;
    if (name === "LATCHKEY_PORT" && /^\s*\d+\s*$/.test(value)) {
      reader.warn("LATCHKEY_PORT is not read (Kubernetes sets that name): set PORT to choose the port");
    }
    if (name.startsWith("LATCHKEY_SERVICE_") || name.startsWith("LATCHKEY_PORT")) continue;
    reader.reject(name, "is not a setting", remedyFor(name));
  }
}

function remedyFor(name: string): string {
  const bare = name.replace(/_FILE$/, "");
  if (KNOWN_NAMES.includes(bare)) return `write ${bare}, which is no secret and has no _FILE form`;
  const nearest = nearestName(name);
  return nearest === undefined ? "remove it; the README lists the names" : `write ${nearest}, or remove it`;
}

function nearestName(name: string): string | undefined {
  const stem = stemOf(name);
  const ranked = KNOWN_NAMES.map((known) => ({ known, distance: editDistance(stem, stemOf(known)) }))
    .filter(({ known, distance }) => distance <= Math.max(2, stemOf(known).length / 3))
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.known;
}

/** Without its prefix, so that LATCHKEY_SECRET finds BETTER_AUTH_SECRET. */
function stemOf(name: string): string {
  return name.replace(/^(?:LATCHKEY|BETTER_AUTH)_/, "");
}

/** Levenshtein's distance. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
