import { createPublicKey, type KeyObject, verify } from "node:crypto";

/** A minisign public key: https://jedisct1.github.io/minisign/#public-key-format. */
export interface PublicKey {
  /** As minisign prints it, 16 hexadecimal digits. */
  readonly id: string;
  readonly key: KeyObject;
}

/** What a signature was found to be: good, with the comment that it covers, or not, and why not. */
export type Verdict =
  | { readonly ok: true; readonly by: string; readonly comment: string }
  | { readonly ok: false; readonly reason: string };

const keyBytes = 2 + 8 + 32;
const signatureBytes = 2 + 8 + 64;

/** Reads a key as it stands on a line, or the file of one, whose first line is a comment; null of anything else. */
export function parsePublicKey(text: string): PublicKey | null {
  const lines = text.trim().split(/\r?\n/);
  const bytes = decode(lines.at(-1) ?? "", keyBytes);
  if (bytes === null || lines.length > 2 || bytes.toString("latin1", 0, 2) !== "Ed") return null;
  const x = bytes.subarray(10).toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  return { id: keyId(bytes.subarray(2, 10)), key };
}

/** Eight bytes, the last first. */
export function keyId(bytes: Uint8Array): string {
  return Buffer.from(bytes.toReversed()).toString("hex").toUpperCase();
}

/** What is signed of a content: its BLAKE2b-512, which minisign calls pre-hashed. */
export function prehash(content: Uint8Array): Buffer {
  return Buffer.from(new Bun.CryptoHasher("blake2b512").update(content).digest());
}

/**
 * Verifies a detached signature, its trusted comment included. Those that minisign makes with `-l`, not pre-hashed, are refused.
 * @param signature the text of a `.minisig` file. @param keys any of which may have made it.
 */
export function verifySignature(signature: string, content: Uint8Array, keys: readonly PublicKey[]): Verdict {
  const wrong = (reason: string): Verdict => ({ ok: false, reason });
  const [, signed = "", commented = "", whole = ""] = signature.split(/\r?\n/);
  const bytes = decode(signed, signatureBytes);
  const global = decode(whole, 64);
  const comment = /^trusted comment: (.*)$/.exec(commented)?.[1];
  if (bytes === null || global === null || comment === undefined) return wrong("it is no minisign signature");
  if (bytes.toString("latin1", 0, 2) !== "ED")
    return wrong("it was made without hashing first, by minisign -l");
  const id = keyId(bytes.subarray(2, 10));
  const known = keys.filter((key) => key.id === id);
  if (known.length === 0)
    return wrong(`it is of key ${id}, and trusted is ${keys.map((key) => key.id).join(", ")}`);
  const detached = bytes.subarray(10);
  const covered = Buffer.concat([detached, Buffer.from(comment)]);
  const isGood = known.some(
    ({ key }) => verify(null, prehash(content), key, detached) && verify(null, covered, key, global),
  );
  return isGood ? { ok: true, by: id, comment } : wrong(`it is not of this content by key ${id}`);
}

/** Base64 of exactly so many bytes. */
function decode(text: string, length: number): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === length && bytes.toString("base64") === text ? bytes : null;
}
