import { readFileSync, statSync } from "node:fs";
import { secretFileRisk } from "../config/secret-file.ts";
import { ConfigError, type ConfigProblem } from "../errors.ts";
import { type Certificate, isUsable, parseCertificate } from "./certificate.ts";

export interface CertificateFiles {
  /** Absolute. */
  readonly certFile: string;
  readonly keyFile: string;
}

export interface ReadCertificate {
  readonly certificate: Certificate;
  /** What should be otherwise, and keeps nothing from going on. */
  readonly warnings: readonly string[];
}

const [certName, keyName] = ["LATCHKEY_TLS_CERT_FILE", "LATCHKEY_TLS_KEY_FILE"] as const;

/** Reads the pair. @throws ConfigError with why it cannot be used. */
export function readCertificateFiles({ certFile, keyFile }: CertificateFiles): ReadCertificate {
  const cert = readText(certName, certFile);
  const key = readText(keyName, keyFile);
  const risk = secretFileRisk(keyFile, { madeByUs: false });
  if (risk?.severity === "refused")
    throw problem(keyName, `names ${keyFile}, which ${risk.reason}`, risk.remedy);
  const parsed = parseCertificate({ cert, key });
  if (!isUsable(parsed)) {
    const [name, file] = parsed.part === "cert" ? [certName, certFile] : [keyName, keyFile];
    throw problem(name, `names ${file}, which ${parsed.reason}`, parsed.remedy);
  }
  const warnings = risk === null ? [] : [`${keyName} names ${keyFile}, which ${risk.reason}: ${risk.remedy}`];
  return { certificate: parsed, warnings };
}

/**
 * What a change of either file changes, its mode and a new target of a symbolic link on the way to it included; null while one is
 * missing, or cannot be looked at.
 */
export function stampOf({ certFile, keyFile }: CertificateFiles): string | null {
  try {
    return [certFile, keyFile]
      .map((file) => statSync(file))
      .map(({ dev, ino, size, mtimeMs, ctimeMs }) => `${dev}.${ino}.${size}.${mtimeMs}.${ctimeMs}`)
      .join();
  } catch {
    // Whoever reads them says why.
    return null;
  }
}

function readText(variable: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    const reason = `names ${file}, which cannot be read (${String(code)})`;
    throw problem(variable, reason, "give the path of a file that this user may read");
  }
}

function problem(variable: string, reason: string, remedy: string): ConfigError {
  const one: ConfigProblem = { variable, reason, remedy };
  return new ConfigError([one]);
}
