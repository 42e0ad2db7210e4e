import type { Environment, LoadedConfig } from "../config/config.ts";
import { ConfigError, type ConfigProblem } from "../errors.ts";
import { generateSecret } from "../data-directory.ts";

/** As much of a configuration as can be used. */
export interface PartialConfig {
  /** What is left once every refused variable counts as unset; undefined when even that cannot be used. */
  readonly loaded: LoadedConfig | undefined;
  /** What is wrong with the real configuration. */
  readonly problems: readonly ConfigProblem[];
  /** Variables, without `_FILE`, whose value in `loaded` is not the operator's. */
  readonly unsound: ReadonlySet<string>;
}

const roundsMax = 8;

/** Variables that contradict each other: with one of them refused, none is believed. */
const groups: readonly (readonly string[])[] = [
  ["BETTER_AUTH_SECRET", "BETTER_AUTH_SECRETS"],
  ["LATCHKEY_SESSION_EXPIRES_IN", "LATCHKEY_SESSION_UPDATE_AGE", "LATCHKEY_SESSION_MAX_AGE"],
  ["BETTER_AUTH_TRUSTED_ORIGINS", "CORS_ALLOWED_ORIGINS"],
  ["LATCHKEY_DATABASE_DRIVER", "LATCHKEY_NEON_PROXY", "DATABASE_URL"],
  ["LATCHKEY_LISTEN", "LATCHKEY_LISTEN_MODE", "LATCHKEY_LISTEN_GROUP"],
  ["LATCHKEY_BACKUP_DIR", "LATCHKEY_BACKUP_EVERY", "LATCHKEY_BACKUP_KEEP"],
  // The last of them is the first one with `_FILE`.
  ["LATCHKEY_PASSWORD_BREACHED", "LATCHKEY_PASSWORD_BREACHED_URL"],
  ["LATCHKEY_METRICS_LISTEN", "LATCHKEY_METRICS_TOKEN"],
  ["SMTP_URL", "LATCHKEY_MAIL_FROM"],
  // The two files are LATCHKEY_TLS_CERT and LATCHKEY_TLS_KEY with `_FILE`.
  [
    "LATCHKEY_TLS",
    "LATCHKEY_TLS_CERT",
    "LATCHKEY_HTTP_PORT",
    "LATCHKEY_ACME_DIRECTORY",
    "LATCHKEY_ACME_CA",
    "LATCHKEY_ACME_EMAIL",
  ],
];

/**
 * Loads a configuration although parts of it are refused: those are left out, again and again while leaving one out
 * makes another one wrong. For commands that must work while the configuration does not; no server runs on it.
 */
export function loadPartialConfig(loadConfig: (replaced?: Environment) => LoadedConfig): PartialConfig {
  const replaced: Record<string, string | undefined> = {};
  let problems: readonly ConfigProblem[] = [];
  for (let round = 0; round < roundsMax; round += 1) {
    try {
      return { loaded: loadConfig(replaced), problems, unsound: namesOf(replaced) };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      if (round === 0) problems = error.problems;
      for (const { variable } of error.problems) leaveOut(replaced, bareName(variable));
    }
  }
  return { loaded: undefined, problems, unsound: namesOf(replaced) };
}

/** The variable's name without `_FILE`. */
export function bareName(variable: string): string {
  return variable.replace(/_FILE$/, "");
}

function leaveOut(replaced: Record<string, string | undefined>, name: string): void {
  for (const member of groups.find((group) => group.includes(name)) ?? [name]) {
    replaced[member] = undefined;
    replaced[`${member}_FILE`] = undefined;
  }
  // What a server database or an https URL cannot do without.
  if (name.startsWith("BETTER_AUTH_SECRET")) replaced["BETTER_AUTH_SECRET"] = generateSecret();
  if (name === "LATCHKEY_TRUSTED_PROXIES") replaced[name] = "none";
}

function namesOf(replaced: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  return new Set(Object.keys(replaced).map(bareName));
}
