/** What libraries and the runtime may see: places, certificates, the time zone, how to talk to a terminal. */
const SHARED_NAMES: ReadonlySet<string> = new Set([
  "PATH",
  "HOME",
  "TMPDIR",
  "TZ",
  "LANG",
  "TERM",
  "NO_COLOR",
  "FORCE_COLOR",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "NODE_EXTRA_CA_CERTS",
]);
const SHARED_PREFIXES = ["LC_", "XDG_"] as const;

/**
 * Moves the environment out of the libraries' reach, once, before anything that reads it is called: returns a
 * frozen copy, deletes every name that is not shared, and sets NODE_ENV to `production`.
 *
 * Libraries change their behaviour by names that nobody meant for them. BetterAuth drops its origin check and
 * its rate limits by TEST and NODE_ENV, and takes secrets, URLs, origins and OAuth keys from BETTER_AUTH_*,
 * AUTH_SECRET, BASE_URL, NUXT_*, NEXT_PUBLIC_*, VERCEL_URL and *_CLIENT_SECRET. Bun's SQL takes hosts,
 * credentials and TLS from DATABASE_URL, PG*, POSTGRES_*, MYSQL_* and TLS_*. Here all of it comes from
 * `loadConfig` or not at all, and no child process inherits a secret.
 */
export function takeEnvironment(env: Record<string, string | undefined>): Readonly<Record<string, string>> {
  const taken: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined) taken[name] = value;
    if (!isShared(name)) delete env[name];
  }
  env["NODE_ENV"] = "production";
  return Object.freeze(taken);
}

function isShared(name: string): boolean {
  return SHARED_NAMES.has(name) || SHARED_PREFIXES.some((prefix) => name.startsWith(prefix));
}
