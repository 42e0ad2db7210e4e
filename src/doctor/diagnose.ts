import type { Config, Environment, LoadedConfig } from "../config/config.ts";
import type { ConfigProblem } from "../errors.ts";
import { backupChecks } from "./backup-check.ts";
import { brandChecks } from "./brand-check.ts";
import { breachedChecks } from "./breached-check.ts";
import { type Check, failed, passed, warned } from "./check.ts";
import { cookieChecks } from "./cookie-check.ts";
import { databaseChecks, databaseDirectoryCheck } from "./database-check.ts";
import { fileChecksOf } from "./file-check.ts";
import { mailChecks, type MailQuestions } from "./mail-check.ts";
import { proxyChecks } from "./proxy-check.ts";
import { reasonOf } from "../errors.ts";
import { secretCheck } from "./secret-check.ts";
import { tlsChecks } from "./tls-check.ts";
import { bareName, loadPartialConfig, type PartialConfig } from "./partial-config.ts";

export interface DiagnosisDeps {
  readonly loadConfig: (replaced?: Environment) => LoadedConfig;
  /** The clock, in ms since the epoch. */
  readonly now: () => number;
  /** Where the environment comes from, fit to print. */
  readonly from: string;
  /** What is asked about mail beyond what is looked at anyway. */
  readonly mail?: MailQuestions;
}

/** A group of checks, and the variables whose values it believes, the most telling first. */
interface Examination {
  readonly name: string;
  readonly needs: (config: Config | undefined) => readonly string[];
  readonly run: (
    loaded: LoadedConfig,
    now: () => number,
    mail: MailQuestions,
  ) => Promise<readonly Check[]> | readonly Check[];
}

const secretNames = ["BETTER_AUTH_SECRET", "BETTER_AUTH_SECRETS"];
const placeNames = [
  "DATABASE_URL",
  "LATCHKEY_DATABASE_DRIVER",
  "LATCHKEY_DATABASE_CONNECTIONS",
  "LATCHKEY_NEON_PROXY",
  "LATCHKEY_DATA_DIR",
  "STATE_DIRECTORY",
];

const examinations: readonly Examination[] = [
  {
    name: "secret",
    // A generated secret is where the database is.
    needs: (config) => (config?.secrets.length === 0 ? [...secretNames, ...placeNames] : secretNames),
    run: (loaded) => [secretCheck(loaded)],
  },
  {
    name: "files",
    needs: () => placeNames,
    run: ({ config }) => [...databaseDirectoryCheck(config), ...fileChecksOf(config)],
  },
  { name: "database", needs: () => placeNames, run: ({ config }, now) => databaseChecks(config, now) },
  {
    name: "backups",
    needs: () => [...placeNames, "LATCHKEY_BACKUP_DIR", "LATCHKEY_BACKUP_EVERY", "LATCHKEY_BACKUP_KEEP"],
    run: ({ config }, now) => backupChecks(config, now()),
  },
  {
    name: "cookies",
    needs: () => [
      "BETTER_AUTH_URL",
      "BETTER_AUTH_TRUSTED_ORIGINS",
      "LATCHKEY_COOKIE_DOMAIN",
      "LATCHKEY_COOKIE_SAMESITE",
    ],
    run: ({ config }) => cookieChecks(config),
  },
  {
    name: "proxies",
    needs: () => ["BETTER_AUTH_URL", "HOST", "PORT", "LATCHKEY_LISTEN", "LATCHKEY_TRUSTED_PROXIES"],
    run: ({ config }) => proxyChecks(config),
  },
  {
    name: "certificate",
    needs: () => [
      "LATCHKEY_TLS",
      "LATCHKEY_TLS_CERT",
      "LATCHKEY_TLS_KEY",
      "BETTER_AUTH_URL",
      "LATCHKEY_ACME_DIRECTORY",
      "LATCHKEY_ACME_CA",
      "LATCHKEY_DATA_DIR",
      "STATE_DIRECTORY",
    ],
    run: ({ config }, now) => tlsChecks(config, now()),
  },
  {
    name: "breached passwords",
    needs: () => ["LATCHKEY_PASSWORD_BREACHED", "LATCHKEY_PASSWORD_BREACHED_URL"],
    run: ({ config }) => breachedChecks(config),
  },
  {
    name: "brand",
    needs: () => ["LATCHKEY_BRAND_ACCENT", "LATCHKEY_BRAND_ACCENT_DARK"],
    run: ({ config }) => brandChecks(config),
  },
  {
    name: "mail server",
    needs: () => ["SMTP_URL", "LATCHKEY_MAIL_FROM"],
    run: ({ config }, now, questions) => mailChecks(config, now, questions),
  },
];

/** Runs every check, at once and each whatever the others find; changes nothing and never rejects. */
export async function diagnose({
  loadConfig,
  now,
  from,
  mail = {},
}: DiagnosisDeps): Promise<readonly Check[]> {
  const sound = loadPartialConfig(loadConfig);
  const groups = await Promise.all(examinations.map((examination) => examine(examination, sound, now, mail)));
  return [...configurationChecks(sound, from), ...groups.flat()];
}

async function examine(
  { name, needs, run }: Examination,
  sound: PartialConfig,
  now: () => number,
  mail: MailQuestions,
): Promise<readonly Check[]> {
  const { loaded, problems, unsound } = sound;
  const needed = needs(loaded?.config);
  if (loaded === undefined || needed.some((variable) => unsound.has(variable))) {
    return [impossible(name, needed, problems)];
  }
  try {
    return await run(loaded, now, mail);
  } catch (error) {
    return [
      failed(name, `could not be checked: ${reasonOf(error)}`, "correct that, and run latchkey doctor again"),
    ];
  }
}

/** Names the problem that stands in a check's way. */
function impossible(name: string, needs: readonly string[], problems: readonly ConfigProblem[]): Check {
  const concerning = needs.flatMap((need) => problems.filter(({ variable }) => bareName(variable) === need));
  const problem = concerning[0] ?? problems[0];
  if (problem === undefined) return warned(name, "could not be checked", "correct the configuration first");
  return failed(name, `could not be checked: ${problem.variable} ${problem.reason}`, problem.remedy);
}

const configShows = "latchkey config, named the same server, shows every setting and its source";

function configurationChecks({ loaded, problems }: PartialConfig, from: string): readonly Check[] {
  const name = "configuration";
  // Warnings of a configuration with parts left out may be about what stands in for them.
  const warnings = problems.length === 0 ? (loaded?.warnings ?? []) : [];
  const findings = [
    ...problems.map(({ variable, reason, remedy }) => failed(name, `${variable}: ${reason}`, remedy)),
    ...warnings.map((warning) => warned(name, warning, configShows)),
  ];
  if (findings.length > 0) return findings;
  const set = loaded?.settings.filter(({ source }) => source !== "default").length ?? 0;
  return [
    passed(
      name,
      `no problem in ${from}: ${set} of ${loaded?.settings.length ?? 0} settings are set, the others default; the data directory is ${loaded?.config.dataDir ?? "unknown"}`,
    ),
  ];
}
