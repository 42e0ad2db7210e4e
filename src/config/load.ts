import { ConfigError } from "../errors.ts";
import { readBackups } from "./backups.ts";
import { readBrand } from "./brand.ts";
import { readBreached } from "./breached.ts";
import { readCookieSettings } from "./cookie-scope.ts";
import { readDatabase } from "./database-url.ts";
import { readSessionLifetimes } from "./duration.ts";
import { isSet, readDataDir } from "./file-path.ts";
import { readLimits } from "./limits.ts";
import { readEmailVerification, readMail } from "./mail.ts";
import { readListen } from "./listen.ts";
import { readMetrics } from "./metrics.ts";
import { isSecure } from "./origin.ts";
import { refuseUnknownNames, warnOfRuntimeNames } from "./unknown-names.ts";
import type { SettingName } from "./settings.ts";
import { readWorkers } from "./workers.ts";
import { readSocket } from "./socket.ts";
import { readTls, readTlsSource } from "./tls.ts";
import { readTrustedProxies } from "./trusted-proxies.ts";
import { readBaseUrl, readDefaultRedirectUrl, readTrustedOrigins } from "./public-url.ts";
import { type ConfigReader, createConfigReader, readParsed } from "./reader.ts";
import { parseChoice, parseInteger, type Parsed, refused } from "./parse.ts";
import { parseDomains } from "./sign-up-domains.ts";
import { readSecrets } from "./signing-secrets.ts";
import type { Config, ConfigDeps, Environment, LoadedConfig } from "./config.ts";

/**
 * Reads the whole configuration from an environment, touching nothing but the files that `*_FILE` names.
 * @throws ConfigError with every problem at once, none of which contains a secret.
 */
export function loadConfig(env: Environment, deps: ConfigDeps): LoadedConfig {
  const reader = createConfigReader(env, deps);
  refuseUnknownNames(reader, env);
  warnOfRuntimeNames(reader, env);
  const tlsSource = readTlsSource(reader);
  const listen = readListen(reader, tlsSource, deps);
  const socket = readSocket(reader, deps);
  const dataDir = readDataDir(reader, deps);
  const { database, isServer } = readDatabase(reader, dataDir, deps);
  const backups = readBackups(reader, isServer, deps);
  const workers = readWorkers(reader, database, deps);
  const { secrets, secretsVersion } = readSecrets(reader, isServer, isSet(env, "AUTH_SECRET"));
  const baseUrl = readBaseUrl(reader, listen);
  const tls = readTls(reader, tlsSource, baseUrl, listen, deps);
  const trustedOrigins = readTrustedOrigins(reader, baseUrl);
  const defaultRedirectUrl = readDefaultRedirectUrl(reader, baseUrl, trustedOrigins);
  const cookie = readCookieSettings(reader, baseUrl);
  const trustedProxies = readTrustedProxies(reader, baseUrl, listen, tls);
  const plain = readPlain(reader, deps);
  const passwordBreached = readBreached(reader, deps);
  const limits = readLimits(reader, baseUrl);
  const metrics = readMetrics(reader, deps);
  const brand = readBrand(reader, trustedOrigins);
  const mail = readMail(reader, brand.brandName, deps);
  const emailVerification = readEmailVerification(reader, mail);

  const isComplete = database && baseUrl && trustedOrigins && defaultRedirectUrl;
  if (reader.problems.length > 0 || !isComplete) throw new ConfigError(reader.problems);
  const config: Config = {
    ...listen,
    tls,
    socket,
    workers,
    baseUrl,
    secure: isSecure(baseUrl),
    database,
    dataDir,
    backups,
    secrets,
    secretsVersion,
    trustedOrigins,
    defaultRedirectUrl,
    defaultRedirectIsGuess: [
      "LATCHKEY_DEFAULT_REDIRECT_URL",
      "BETTER_AUTH_TRUSTED_ORIGINS",
      "CORS_ALLOWED_ORIGINS",
    ].every((name) => (env[name] ?? "").trim() === ""),
    ...cookie,
    trustedProxies,
    ...plain,
    passwordBreached,
    limits,
    metrics,
    mail,
    emailVerification,
    ...brand,
  };
  return { config, warnings: reader.warnings, settings: reader.settings };
}

/** Fills in the port that PORT=0 turned out to be, wherever the default base URL is used. */
export function withPort(config: Config, port: number): Config {
  // Nobody can configure an origin with port 0, so it is this server's own.
  const resolveOrigin = (origin: string) =>
    origin.endsWith(":0") ? new URL(origin.replace(/0$/, String(port))).origin : origin;
  return {
    ...config,
    port,
    baseUrl: resolveOrigin(config.baseUrl),
    trustedOrigins: [...new Set(config.trustedOrigins.map(resolveOrigin))],
    defaultRedirectUrl: resolveOrigin(config.defaultRedirectUrl),
  };
}

type Plain = Pick<
  Config,
  | "signUp"
  | "signUpDomains"
  | "mailNewDevice"
  | "passwordMinLength"
  | "passwordCommon"
  | "sessionExpiresInSeconds"
  | "sessionUpdateAgeSeconds"
  | "sessionMaxAgeSeconds"
  | "sessionsMax"
  | "bearer"
  | "logLevel"
  | "logFormat"
  | "logEmails"
  | "hashConcurrency"
  | "hashesOnSpareCore"
  | "hashQueue"
>;

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** Reads what stands alone: choices, numbers and durations. */
function readPlain(reader: ConfigReader, { isTerminal, cpuCount }: ConfigDeps): Plain {
  const choice = <T extends string>(name: SettingName, fallback: T, choices: readonly T[]) =>
    readParsed<T>(reader, name, fallback, (text) => parseChoice(text, choices));
  const integer = (name: SettingName, fallback: number, minimum: number, maximum: number) =>
    readParsed(reader, name, fallback, (text) => parseInteger(text, minimum, maximum));
  const maximumHashes = Math.max(1, Math.floor(cpuCount) - 1);
  return {
    signUp: choice("LATCHKEY_SIGN_UP", "open", ["open", "closed", "invited"]),
    signUpDomains: readParsed(reader, "LATCHKEY_SIGN_UP_DOMAINS", [], parseDomains),
    mailNewDevice: choice("LATCHKEY_MAIL_NEW_DEVICE", "on", ["on", "off"]) === "on",
    passwordMinLength: integer("LATCHKEY_PASSWORD_MIN_LENGTH", 8, 8, 128),
    passwordCommon: choice("LATCHKEY_PASSWORD_COMMON", "refuse", ["refuse", "allow"]),
    ...readSessionLifetimes(reader),
    sessionsMax: integer("LATCHKEY_SESSIONS_MAX", 50, 1, 10_000),
    bearer: choice("LATCHKEY_BEARER", "off", ["off", "signed"]),
    logLevel: choice("LOG_LEVEL", "info", LOG_LEVELS),
    logFormat: choice("LATCHKEY_LOG_FORMAT", isTerminal ? "pretty" : "json", ["json", "pretty"]),
    logEmails: choice("LATCHKEY_LOG_EMAILS", "off", ["off", "on"]) === "on",
    hashConcurrency: readParsed(reader, "LATCHKEY_HASH_CONCURRENCY", maximumHashes, (text) =>
      parseHashConcurrency(text, maximumHashes),
    ),
    hashesOnSpareCore: cpuCount >= 2 && reader.entry("LATCHKEY_HASH_CONCURRENCY") === undefined,
    hashQueue: integer("LATCHKEY_HASH_QUEUE", 256, 1, 10_000),
  };
}

/** Strictly fewer hashes at once than cores: cookie signatures queue in the same thread pool. */
function parseHashConcurrency(text: string, maximum: number): Parsed<number> {
  const parsed = parseInteger(text, 1, Number.MAX_SAFE_INTEGER);
  if (parsed.ok && parsed.value <= maximum) return parsed;
  const remedy = maximum === 1 ? "write 1, or remove it" : `write a whole number from 1 to ${maximum}`;
  if (!parsed.ok) return refused(parsed.reason, remedy);
  return refused(`${parsed.value} leaves no core for anything else`, remedy);
}
