import { readFileSync } from "node:fs";
import { parsePublicKey, verifySignature } from "../src/upgrade/minisign.ts";
import { readSecretKey, type SecretKey } from "./minisign-key.ts";

/** What a release is signed by, and what its executables trust. */
export interface Signing {
  /** Null where nobody gave one: the release is unsigned. */
  readonly key: SecretKey | null;
  /** Minisign public keys; none where an executable trusts nobody without `--key`. */
  readonly trusted: readonly string[];
}

/**
 * Reads `LATCHKEY_RELEASE_KEY_FILE`, a minisign secret key, `LATCHKEY_RELEASE_KEY_PASSWORD_FILE`, and
 * `LATCHKEY_RELEASE_PUBLIC_KEY`, the keys that executables trust, separated by commas: that of the secret key unless it says otherwise.
 * @throws Error where they do not fit together.
 */
export function readSigning(environment: Readonly<Record<string, string | undefined>>): Signing {
  const file = environment["LATCHKEY_RELEASE_KEY_FILE"] ?? "";
  const passwordFile = environment["LATCHKEY_RELEASE_KEY_PASSWORD_FILE"] ?? "";
  const given = environment["LATCHKEY_RELEASE_PUBLIC_KEY"] ?? "";
  const trusted = given.split(/[\s,]+/).filter((text) => text !== "");
  for (const text of trusted)
    if (parsePublicKey(text) === null)
      throw new Error(`LATCHKEY_RELEASE_PUBLIC_KEY: ${text} is no minisign public key`);
  if (file === "") return { key: null, trusted };
  let password: string | null = null;
  let key: SecretKey;
  try {
    if (passwordFile !== "") password = readFileSync(passwordFile, "utf8").replace(/\r?\n$/, "");
    key = readSecretKey(readFileSync(file, "utf8"), password);
  } catch (cause) {
    const hint = password === null ? ": LATCHKEY_RELEASE_KEY_PASSWORD_FILE names the file that has it" : "";
    const { message } = cause as Error;
    throw new Error(`LATCHKEY_RELEASE_KEY_FILE: ${message}${message === "it has a password" ? hint : ""}`, {
      cause,
    });
  }
  if (trusted.length === 0) return { key, trusted: [key.publicKey] };
  if (trusted.includes(key.publicKey)) return { key, trusted };
  throw new Error(`LATCHKEY_RELEASE_PUBLIC_KEY lacks ${key.publicKey}, by which the release is signed`);
}

/** Signs, and sees that those who trust the key take it. @returns the text of a `.minisig` file. */
export function signedBy(key: SecretKey, content: Uint8Array, comment: string): string {
  const signature = key.sign(content, comment);
  const own = parsePublicKey(key.publicKey);
  const verdict = verifySignature(signature, content, own === null ? [] : [own]);
  if (!verdict.ok) throw new Error(`the signature is not good: ${verdict.reason}`);
  return signature;
}
