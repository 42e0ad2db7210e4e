import { createPrivateKey, createPublicKey, type KeyObject, scryptSync, sign } from "node:crypto";
import { keyId, prehash } from "../src/upgrade/minisign.ts";

/** A minisign secret key: https://jedisct1.github.io/minisign/#secret-key-format. */
export interface SecretKey {
  /** The line of the public key file. */
  readonly publicKey: string;
  readonly id: string;
  /** @returns the text of a `.minisig` file. @param comment which the signature covers, one line. */
  sign(content: Uint8Array, comment: string): string;
}

const keyFileBytes = 2 + 2 + 2 + 32 + 8 + 8 + 104;
/** What minisign -G takes for a password: 1 GiB of memory. */
const memoryMaxBytes = 2 ** 31;

/**
 * Reads the file that `minisign -G` wrote, with a password or by `-W` without.
 * @param password null where none is known. @throws Error where it is no such file, or the password is wrong.
 */
export function readSecretKey(text: string, password: string | null): SecretKey {
  const bytes = Buffer.from(text.trim().split(/\r?\n/)[1] ?? "", "base64");
  const [algorithm, derivation, hash] = [0, 2, 4].map((at) => bytes.toString("latin1", at, at + 2));
  if (bytes.length !== keyFileBytes || algorithm !== "Ed" || hash !== "B2")
    throw new Error("it is no minisign secret key, as minisign -G writes one");
  const secret = derivation === "Sc" ? decrypt(bytes, password) : bytes.subarray(54);
  const number = secret.subarray(0, 8);
  const seed = secret.subarray(8, 40);
  const stored = secret.subarray(40, 72);
  const checksum = new Bun.CryptoHasher("blake2b256").update("Ed").update(secret.subarray(0, 72)).digest();
  if (derivation === "Sc" && !secret.subarray(72).equals(checksum)) throw new Error("the password is wrong");
  const key = createPrivateKey({
    key: { kty: "OKP", crv: "Ed25519", d: seed.toString("base64url"), x: stored.toString("base64url") },
    format: "jwk",
  });
  if (!rawPublicKey(key).equals(stored)) throw new Error("its public half is not that of its secret half");
  return {
    publicKey: Buffer.concat([Buffer.from("Ed"), number, stored]).toString("base64"),
    id: keyId(number),
    sign(content, comment) {
      const detached = sign(null, prehash(content), key);
      const global = sign(null, Buffer.concat([detached, Buffer.from(comment)]), key);
      const signature = Buffer.concat([Buffer.from("ED"), number, detached]).toString("base64");
      return [
        "untrusted comment: verify with: minisign -V -p latchkey.pub -m SHA256SUMS",
        signature,
        `trusted comment: ${comment}`,
        `${global.toString("base64")}\n`,
      ].join("\n");
    },
  };
}

function rawPublicKey(key: KeyObject): Buffer {
  return Buffer.from(createPublicKey(key).export({ format: "jwk" }).x ?? "", "base64url");
}

function decrypt(bytes: Buffer, password: string | null): Buffer {
  if (password === null) throw new Error("it has a password");
  const operations = bytes.readBigUInt64LE(38);
  const memory = bytes.readBigUInt64LE(46);
  const stream = scryptSync(password, bytes.subarray(6, 38), 104, {
    ...scryptCost(operations, memory),
    maxmem: memoryMaxBytes,
  });
  return Buffer.from(bytes.subarray(54).map((byte, at) => byte ^ (stream[at] ?? 0)));
}

/** As libsodium's crypto_pwhash_scryptsalsa208sha256 has it from its two limits. */
function scryptCost(operations: bigint, memory: bigint): { N: number; r: number; p: number } {
  const operationsMin = 32_768n;
  const limit = operations < operationsMin ? operationsMin : operations;
  const isByOperations = limit < memory / 32n;
  const maximum = isByOperations ? limit / 32n : memory / 1_024n;
  let N = 2n;
  while (N <= maximum / 2n) N *= 2n;
  return { N: Number(N), r: 8, p: isByOperations ? 1 : Number(limit / 4n / N / 8n) };
}
