import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { KeyPair } from "../server.ts";

/** A certificate and the key that fits it. */
export interface Certificate extends KeyPair {
  /** Both in ms since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Fit for the log: `auth.example.com`, `10.0.0.1`. */
  readonly names: readonly string[];
  readonly issuer: string;
  /** Whether it vouches for a host. */
  readonly covers: (host: string) => boolean;
}

/** What is wrong with a pair, and in which of the two. */
export interface UnusablePair {
  readonly part: "cert" | "key";
  readonly reason: string;
  readonly remedy: string;
}

/** Reads a pair in PEM. Nothing of the key is in what is returned beside it. */
export function parseCertificate({ cert, key }: KeyPair): Certificate | UnusablePair {
  const own = readOwn(cert);
  if (own === null)
    return {
      part: "cert",
      reason: "holds no certificate in PEM",
      remedy: "name the file with the whole chain, such as certbot's fullchain.pem",
    };
  const parsedKey = readKey(key);
  if (!("type" in parsedKey)) return parsedKey;
  if (!own.checkPrivateKey(parsedKey))
    return {
      part: "key",
      reason: "holds the key of another certificate",
      remedy: "name the two files that were made together",
    };
  return {
    cert,
    key,
    notBefore: own.validFromDate.getTime(),
    notAfter: own.validToDate.getTime(),
    names: namesOf(own),
    issuer: own.issuer.replaceAll("\n", ", "),
    covers: (host) => (isIP(host) === 0 ? own.checkHost(host) : own.checkIP(host)) !== undefined,
  };
}

export function isUsable(parsed: Certificate | UnusablePair): parsed is Certificate {
  return "notAfter" in parsed;
}

/** The first, which is the server's own; the others must be certificates too, or a start would fail by them. */
function readOwn(pem: string): X509Certificate | null {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    const [own] = blocks.map((block) => new X509Certificate(block));
    return own ?? null;
  } catch {
    return null;
  }
}

function readKey(pem: string): KeyObject | UnusablePair {
  if (/ENCRYPTED/.test(pem))
    return {
      part: "key",
      reason: "holds a key under a password",
      remedy: "take the password off: openssl pkey -in key.pem -out plain.pem",
    };
  try {
    return createPrivateKey(pem);
  } catch {
    return {
      part: "key",
      reason: "holds no private key in PEM",
      remedy: "name the key's file, such as certbot's privkey.pem",
    };
  }
}

function namesOf({ subjectAltName }: X509Certificate): readonly string[] {
  return (subjectAltName ?? "")
    .split(", ")
    .flatMap((name) => /^(?:DNS|IP Address):(.+)$/.exec(name)?.[1] ?? []);
}
