import { resolve } from "node:path";
import type { ConfigProblem } from "../errors.ts";
import type { SettingName } from "./settings.ts";
import type { ConfigDeps, Environment, Setting } from "./config.ts";
import type { SecretFileRisk } from "./secret-file.ts";
import type { Parsed } from "./parse.ts";

/** A value somebody set, and where. */
export interface Entry {
  readonly text: string;
  readonly source: "environment" | "file";
  /** The variable it came from: the name asked for, its alias, or `NAME_FILE`. */
  readonly variable: string;
}

/** Reads variables and gathers problems, warnings and settings on the way. */
export interface ConfigReader {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
  readonly settings: readonly Setting[];
  /** The trimmed value; an empty one is unset. */
  readonly entry: (name: SettingName | "STATE_DIRECTORY") => Entry | undefined;
  /** The value of NAME or of the file NAME_FILE names, not trimmed but for the file's last newline. */
  readonly secretEntry: (name: SettingName) => Entry | undefined;
  readonly reject: (variable: string, reason: string, remedy: string) => void;
  readonly isRejected: (name: string) => boolean;
  readonly warn: (message: string) => void;
  readonly record: (name: SettingName, value: string, entry: Entry | undefined) => void;
}

export function createConfigReader(
  env: Environment,
  deps: Pick<ConfigDeps, "readFile" | "secretFileRisk" | "cwd">,
): ConfigReader {
  const problems: ConfigProblem[] = [];
  const warnings: string[] = [];
  const settings: Setting[] = [];
  const reject: ConfigReader["reject"] = (variable, reason, remedy) => {
    // A variable may be read more than once.
    if (problems.some((known) => known.variable === variable && known.reason === reason)) return;
    problems.push({ variable, reason, remedy });
  };
  const warn: ConfigReader["warn"] = (message) => {
    if (!warnings.includes(message)) warnings.push(message);
  };
  const entry: ConfigReader["entry"] = (name) => {
    const text = env[name]?.trim() ?? "";
    if (text === "") return undefined;
    if (!hasControlCharacter(text)) return { text, source: "environment", variable: name };
    reject(name, "contains a line break or another control character", "write it on one line");
    return undefined;
  };
  const secretEntry: ConfigReader["secretEntry"] = (name) =>
    readSecretEntry(env, deps, { reject, warn }, name);

  return {
    problems,
    warnings,
    settings,
    entry,
    secretEntry,
    reject,
    isRejected: (name) => problems.some(({ variable }) => variable === name || variable === `${name}_FILE`),
    warn,
    record: (name, value, from) =>
      settings.push({ name, value, source: from?.source ?? "default", variable: from?.variable ?? null }),
  };
}

/** Parses one variable; an unset one is the fallback, a refused one a problem and the fallback. */
export function readParsed<T>(
  reader: ConfigReader,
  name: SettingName,
  fallback: T,
  parse: (text: string) => Parsed<T>,
  show: (value: T) => string = String,
): T {
  const entry = reader.entry(name);
  const parsed = entry === undefined ? undefined : parse(entry.text);
  if (parsed?.ok === false) reader.reject(name, parsed.reason, parsed.remedy);
  const value = parsed?.ok === true ? parsed.value : fallback;
  reader.record(name, show(value), entry);
  return value;
}

function readSecretEntry(
  env: Environment,
  deps: Pick<ConfigDeps, "readFile" | "secretFileRisk" | "cwd">,
  { reject, warn }: Pick<ConfigReader, "reject" | "warn">,
  name: string,
): Entry | undefined {
  const inline = env[name] ?? "";
  const variable = `${name}_FILE`;
  const path = env[variable] ?? "";
  if (inline !== "" && path !== "") {
    reject(variable, `is set together with ${name}`, `keep one of ${name} and ${variable}`);
    return undefined;
  }
  const entry: Entry =
    path === ""
      ? { text: inline, source: "environment", variable: name }
      : { text: readSecretFile(path, deps, { reject, warn }, variable), source: "file", variable };
  if (entry.text === "") return undefined;
  if (!hasControlCharacter(entry.text)) return entry;
  reject(entry.variable, "contains a line break or another control character", "write it on one line, alone");
  return undefined;
}

/** The path is not echoed: people put the secret itself there by mistake. */
function readSecretFile(
  path: string,
  deps: Pick<ConfigDeps, "readFile" | "secretFileRisk" | "cwd">,
  { reject, warn }: Pick<ConfigReader, "reject" | "warn">,
  variable: string,
): string {
  let content: string;
  let risk: SecretFileRisk | null;
  try {
    content = deps.readFile(resolve(deps.cwd, path));
    risk = deps.secretFileRisk(resolve(deps.cwd, path));
  } catch (error) {
    const remedy = "give the path of a file that this user may read, holding the value alone";
    reject(variable, `names a file that cannot be read (${errorCodeOf(error)})`, remedy);
    return "";
  }
  if (risk?.severity === "refused") {
    reject(variable, `names a file that ${risk.reason}`, risk.remedy);
    return "";
  }
  if (risk !== null) warn(`${variable} names a file that ${risk.reason}: ${risk.remedy}`);
  const text = content.replace(/\r?\n$/, "");
  if (text.trim() !== "") return text;
  reject(variable, "names an empty file", "write the value into the file");
  return "";
}

/** Only a plain `EACCES`-like code: a message may hold the path or the content. */
function errorCodeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^E[A-Z0-9]{2,20}$/.test(code) ? code : "unknown error";
}

function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text);
}
