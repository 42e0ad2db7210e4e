/** Where accounts and sessions are kept. `path` is absolute; `url` carries the password: never print it. */
export type DatabaseConfig =
  | { readonly driver: "sqlite"; readonly path: string }
  | { readonly driver: "postgres"; readonly url: string }
  | { readonly driver: "neon"; readonly url: string; readonly proxy: string | null };

/** The whole configuration, read once at start. CONTRACT section 3. */
export interface Config {
  readonly host: string;
  /** 0 picks a free port (loopback only); then `baseUrl` is null unless BETTER_AUTH_URL is set. */
  readonly port: number;
  /** Public origin, no trailing slash; null only while PORT=0 has not been resolved (see `withPort`). */
  readonly baseUrl: string;
  readonly database: DatabaseConfig;
  /** Absolute path; holds the SQLite file and the generated secret. */
  readonly dataDir: string;
  /** The first signs, all verify. Empty: to be generated in (or read from) `dataDir`, SQLite only. */
  readonly secrets: readonly string[];
  /** Exact origins, the server's own first or last; no duplicates. */
  readonly trustedOrigins: readonly string[];
  readonly defaultRedirectUrl: string;
  readonly cookieDomain: string | null;
  readonly cookieSameSite: "lax" | "none";
  readonly trustedProxies: readonly string[];
  readonly signUp: "open" | "closed";
  readonly passwordMinLength: number;
  readonly sessionExpiresInSeconds: number;
  readonly sessionUpdateAgeSeconds: number;
  readonly sessionMaxAgeSeconds: number;
  readonly bearer: "off" | "signed";
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
  readonly logFormat: "json" | "pretty";
  readonly hashConcurrency: number;
  readonly hashQueue: number;
}
