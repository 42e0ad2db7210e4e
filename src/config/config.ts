import type { SecretFileRisk } from "./secret-file.ts";

/**
 * Where accounts and sessions are kept. `path` is absolute; `url` carries the password: never print it. `connections`
 * is how many an instance keeps to a server at the most.
 */
export type DatabaseConfig =
  | { readonly driver: "sqlite"; readonly path: string }
  | { readonly driver: "postgres"; readonly url: string; readonly connections: number }
  | {
      readonly driver: "neon";
      readonly url: string;
      readonly connections: number;
      readonly proxy: string | null;
    };

/** A Unix socket to listen on. */
export interface SocketConfig {
  /** Absolute, of at most 96 bytes. */
  readonly path: string;
  /** Permission bits, such as 0o660. */
  readonly mode: number;
  /** A name or a number; null for the process's own. */
  readonly group: string | null;
}

/** Backups that the server makes by itself. */
export interface BackupsConfig {
  /** Absolute. */
  readonly directory: string;
  readonly everySeconds: number;
  /** How many stay, 1 to 1,000. */
  readonly keep: number;
}

/** Where figures are asked for, apart from all else; port 0 is any free one. */
export type MetricsListen =
  | { readonly host: string; readonly port: number }
  /** A Unix socket: an absolute path of at most 96 bytes. */
  | { readonly path: string };

/** How mail is sent. `login` carries the password: never print it. */
export interface MailConfig {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** From the first byte, by STARTTLS or not at all, or, on this machine, by STARTTLS where that is offered. */
  readonly security: "tls" | "starttls" | "plain";
  /** Null where the server asks for none. */
  readonly login: { readonly user: string; readonly password: string } | null;
  readonly fromName: string;
  readonly fromAddress: string;
  /** A folder, absolute; null for latchkey's own. */
  readonly templates: string | null;
}

/** How figures are asked for: at least one of the two is there. */
export interface MetricsConfig {
  /** Null for the server's own port. */
  readonly listen: MetricsListen | null;
  /** What whoever asks has to show; null for nothing. */
  readonly token: string | null;
}

/** Where the server's certificate comes from, and the port of plain http beside it; null for none. Paths are absolute. */
export type TlsConfig = { readonly httpPort: number | null } & (
  | { readonly by: "files"; readonly certFile: string; readonly keyFile: string }
  | {
      readonly by: "acme";
      /** An https URL. */
      readonly directory: string;
      /** What the directory's own certificate is checked against; null for the public ones. */
      readonly caFile: string | null;
      readonly email: string | null;
    }
);

/** The passwords of data breaches: a range API, by its address without a slash at the end, or a file, by its absolute path. */
export type BreachedConfig =
  | { readonly by: "api"; readonly url: string }
  | { readonly by: "file"; readonly path: string };

/** So many within so long. */
export interface Rate {
  readonly points: number;
  readonly seconds: number;
}

/** The whole configuration, read once at start. docs/contract.md, Configuration. */
export interface Config {
  readonly host: string;
  /** 0 picks a free port (loopback only); `withPort` then fills in the real one. */
  readonly port: number;
  /** Null where the port speaks plain http. */
  readonly tls: TlsConfig | null;
  /** Beside the port; null for none. */
  readonly socket: SocketConfig | null;
  /** Processes that share the port; more than one on Linux alone. */
  readonly workers: number;
  /** Public origin, no trailing slash; `http://localhost:0` until `withPort` has resolved PORT=0. */
  readonly baseUrl: string;
  /** Whether the public origin is https. */
  readonly secure: boolean;
  readonly database: DatabaseConfig;
  /** Absolute path; holds the SQLite file and the generated secret. */
  readonly dataDir: string;
  /** Of an embedded database; null for none. */
  readonly backups: BackupsConfig | null;
  /** The first signs, all verify. Empty: to be generated in (or read from) `dataDir`, SQLite only. */
  readonly secrets: readonly string[];
  /** The highest of their numbers in BETTER_AUTH_SECRETS; of BETTER_AUTH_SECRET alone 1, and 0 of none. */
  readonly secretsVersion: number;
  /** Exact origins in the operator's order, no duplicates; the server's own is always in. */
  readonly trustedOrigins: readonly string[];
  /** An absolute URL whose origin is trusted. */
  readonly defaultRedirectUrl: string;
  /** Whether that was neither set nor the first of origins that were: nothing may listen there. */
  readonly defaultRedirectIsGuess: boolean;
  /** Lower case, without a leading dot; equal to or a parent of the base URL's host. */
  readonly cookieDomain: string | null;
  readonly cookieSameSite: "lax" | "none";
  /** Canonical CIDRs, e.g. `10.0.0.0/8`. */
  readonly trustedProxies: readonly string[];
  /** `invited`: whoever has an invitation. */
  readonly signUp: "open" | "closed" | "invited";
  /** Whose addresses may sign up, in the form in which addresses are stored; none for everybody's. */
  readonly signUpDomains: readonly string[];
  /** Code points, 8 to 128. */
  readonly passwordMinLength: number;
  /** Whether a new password may be one of the common ones. */
  readonly passwordCommon: "refuse" | "allow";
  /** Where new passwords are looked up among those of data breaches; null for nowhere. */
  readonly passwordBreached: BreachedConfig | null;
  readonly sessionExpiresInSeconds: number;
  readonly sessionUpdateAgeSeconds: number;
  readonly sessionMaxAgeSeconds: number;
  /** Live ones of one user, 1 to 10,000. */
  readonly sessionsMax: number;
  readonly bearer: "off" | "signed";
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
  readonly logFormat: "json" | "pretty";
  /** Whether the log has e-mail addresses; it has keyed hashes of them in any case. */
  readonly logEmails: boolean;
  /** How often may be tried what guesses are made by; null for no limit. */
  readonly limits: {
    readonly signIn: Rate;
    readonly signUp: Rate;
    readonly mail: Rate;
    readonly connections: number;
  } | null;
  /** Null where nothing is counted. */
  readonly metrics: MetricsConfig | null;
  /** Null where there is none. */
  readonly mail: MailConfig | null;
  /** Off where there is no mail. */
  readonly emailVerification: "off" | "optional" | "required";
  readonly mailNewDevice: boolean;
  readonly hashConcurrency: number;
  /** Whether hashes may have one core more while few requests come: nobody said how many there may be. */
  readonly hashesOnSpareCore: boolean;
  readonly hashQueue: number;
  /** At most 40 code points. */
  readonly brandName: string;
  /** A path on the own origin, or an absolute URL on a trusted one. */
  readonly brandLogoUrl: string | null;
  /** `#rrggbb`, lower case. */
  readonly brandAccent: string;
  /** The same, in the dark. */
  readonly brandAccentDark: string;
  /** Whom people can ask: an e-mail address, or an absolute https URL. */
  readonly contact: string | null;
}

/** What `loadConfig` needs from the machine. */
export interface ConfigDeps {
  /** Reads a whole file as UTF-8, synchronously; throws when it cannot. Gets an absolute path. */
  readonly readFile: (path: string) => string;
  /** What is wrong with who may write and read a secret's file. Gets an absolute path; throws when there is none. */
  readonly secretFileRisk: (path: string) => SecretFileRisk | null;
  /** Absolute; relative paths resolve against it. */
  readonly cwd: string;
  /** Whether the log goes to a terminal. */
  readonly isTerminal: boolean;
  readonly cpuCount: number;
  /** Whether an address of IPv6 can be listened on. */
  readonly hasIpv6: () => boolean;
  /** As Node calls it, e.g. `linux`. */
  readonly platform: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** One line of `latchkey config`. */
export interface Setting {
  readonly name: string;
  /** Fit to print: secrets are masked, a database URL has its password masked. */
  readonly value: string;
  readonly source: "default" | "environment" | "file";
  /** The variable the value came from, e.g. `BETTER_AUTH_SECRET_FILE`; null for a default. */
  readonly variable: string | null;
}

export interface LoadedConfig {
  readonly config: Config;
  /** For the log at start; never contain a secret. */
  readonly warnings: readonly string[];
  readonly settings: readonly Setting[];
}
